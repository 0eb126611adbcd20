"""Operator: looks at the jobs that the broker has, and changes them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import compress

from jobqueue.broker.checks import whole_number
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.errors import OptionError
from jobqueue.job.body import Encoder
from jobqueue.job.names import is_name
from jobqueue.job.signing import Signing
from jobqueue.operating.apart import check_job_tube
from jobqueue.operating.filters import check_states
from jobqueue.operating.notes import Notes, delete_notes, read_notes
from jobqueue.operating.schedules import named
from jobqueue.operating.sweep import Change, Sweep
from jobqueue.operating.viewer import Viewer

OnStep = Callable[[list[JobStats]], None]


class Operator(Viewer):
    """Looks at the tubes and the jobs of a beanstalkd, and changes them.

    It does what the command ``jobqueue`` does. A queue hands one out, as
    :attr:`JobQueue.operator <jobqueue.JobQueue.operator>`; one for any other broker is
    made with its URL, as a queue is.

    A job is given by its id, which the broker chooses: :meth:`Putter.put
    <jobqueue.Putter.put>` returns it. Ids start at 1 again when a broker without a
    binlog restarts, so that one from before may be that of another job.

    An operator is safe to share between threads. Its connections stay open between
    calls; :meth:`close`, or the end of a ``with`` block, closes them.

    Each method may raise :class:`~jobqueue.errors.BrokerError`,
    :class:`~jobqueue.errors.OptionError` for what can't be an id or a state, and
    :class:`~jobqueue.errors.TubeNameError`.

    >>> operator = Operator(url)
    >>> operator.tube("emails").buried
    1
    """

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        # The commands have signals wait here until a step is done.
        self.uninterrupted: AbstractContextManager[object] = nullcontext()
        self.signing = Signing()  # of what is put; a queue's operator has the queue's

    def kick(self, *ids: int) -> list[int]:
        """Make buried jobs ready, and return the ids of those that were.

        A kick grants a job its limits anew: ``retries`` and ``max_lost``. Jobs in other
        states, delayed ones too, are left as they are. The notes of the jobs' failures
        are deleted.

        >>> operator.kick(1, 2)
        [2]
        """
        with self._connections.taken() as connection:
            jobs = [job for job in connection.jobs(ids) if job]
            buried = [job for job in jobs if job.state == JobState.BURIED]
            return self._changed(connection, connection.kick_jobs, buried)

    def kick_all(
        self, tube: str, *, count: int | None = None, on_step: OnStep | None = None
    ) -> int:
        """Make the buried jobs of a tube ready, and return how many these were.

        With ``count`` these are as many jobs at most, those that were buried first.
        ``on_step`` is called after each step with the jobs kicked in it, as their
        counts were before. If the broker is lost in the middle of a step, the error's
        ``in_doubt`` has the ids of the jobs of that step.

        >>> operator.kick_all("emails")
        1
        """
        with self._connections.taken() as connection:
            counts = connection.tube(check_job_tube(tube))
            if counts is None:
                return 0
            sweep = Sweep(connection, counts.tube, JobState.BURIED)
            if count is None:
                steps = sweep.in_any_order(connection.kick_jobs, counts.buried)
            else:
                most = min(counts.buried, whole_number("count", count, most=None))
                steps = sweep.in_order(connection.kick_jobs, most)
            return self._run(connection, tube, steps, on_step)

    def delete(self, *ids: int) -> list[int]:
        """Delete jobs, and return the ids of those that were deleted.

        A reserved job can be deleted by its worker only. The notes of the jobs'
        failures are deleted as well.

        >>> operator.delete(1, 99)
        [1]
        """
        with self._connections.taken() as connection:
            jobs = [job for job in connection.jobs(ids) if job]
            return self._changed(connection, connection.delete_jobs, jobs)

    def clear(
        self,
        tube: str,
        *states: str,
        count: int | None = None,
        on_step: OnStep | None = None,
    ) -> int:
        """Delete the jobs of a tube that are in these states; return how many.

        At least one state is needed. A reserved job can be deleted by its worker only.
        With ``count`` these are as many jobs at most. ``on_step`` and the error's
        ``in_doubt`` are those of :meth:`kick_all`.

        >>> operator.clear("emails", "ready", "buried")
        2
        """
        deleted = 0
        limit = None if count is None else whole_number("count", count, most=None)
        with self._connections.taken() as connection:
            counts = connection.tube(check_job_tube(tube))
            for state in check_states(states) if states and counts else []:
                sweep = Sweep(connection, tube, state)
                most = counts.jobs_in([state]) if counts else 0
                if limit is not None:
                    most = min(most, limit - deleted)
                steps = sweep.in_any_order(connection.delete_jobs, most)
                deleted += self._run(connection, tube, steps, on_step)
        return deleted

    def put(
        self,
        tube: str,
        func_name: str,
        kwargs: Mapping[str, object] | None = None,
        options: PutOptions | None = None,
    ) -> int:
        """Put a job by the name of its function, and return its id.

        The function is not looked for: what it does not take, its worker buries. The
        job is signed if the queue has a secret, or ``$JOBQUEUE_SECRET`` is set. Raises
        :class:`~jobqueue.errors.ArgumentError` for what JSON can't carry.

        >>> operator.put("emails", "send", {"to": "eve"})
        6
        """
        if not is_name(func_name):
            raise OptionError(f"{func_name!r} is not the name of a task")
        body = Encoder(func_name, check_job_tube(tube)).encode(kwargs or {})
        with self._connections.taken() as connection:
            return connection.put(
                tube, self.signing.sign(body), options or PutOptions()
            )

    def put_failed(self, job_id: int, options: PutOptions | None = None) -> int | None:
        """Put a job again that was deleted for its kicks; return its new id.

        Its body comes from the note of its failure, which is deleted. Returns None if
        there is no such note, as for a job that is still there.

        >>> operator.put_failed(2) is None
        True
        """
        notes = self.notes_about(job_id)
        return self._put_noted(notes, options or PutOptions()).get(job_id)

    def put_all_failed(self, tube: str, *ids: int) -> dict[int, int]:
        """Put jobs of a tube again that were deleted for their kicks.

        Returns the new id of each by its old id. A job without a note that has its body
        is left out, as one that is still there. The notes are read once, and not for
        each job, as by :meth:`put_failed`.

        >>> operator.put_all_failed("emails", 2)
        {}
        """
        meant = set(ids)
        notes = self.notes(
            tube, lambda n: n if n.job_id in meant and n.tube == tube else None
        )
        return self._put_noted(notes, PutOptions())

    def run_schedule(self, name: str) -> int | None:
        """Put a job of a periodic task now, and return its id; None if there is none.

        ``name`` is that of its schedule, or of its function if only one tube has it.
        When it is due next stays as it is. The job has no ``due``. Raises
        :class:`~jobqueue.errors.OptionError` if its jobs have to be signed, and there
        is no secret.

        >>> operator.run_schedule("nightly")
        6
        """
        found = named(self.schedules(), name)
        if found is None:
            return None
        if found.signed and not self.signing.is_on:
            raise OptionError(
                f"the jobs of {found.name} have to be signed: set $JOBQUEUE_SECRET to "
                "the secret of its queue, or its worker buries the job"
            )
        options = PutOptions(priority=found.priority, ttr=found.ttr)
        return self.put(found.tube, found.func_name, options=options)

    def delete_schedule(self, name: str) -> bool:
        """Delete the schedule of a task that was renamed or removed; False without one.

        Raises :class:`~jobqueue.errors.OptionError` if a worker still has the task: it
        would make the schedule again within two minutes.

        >>> operator.delete_schedule("reports/nightly")
        True
        """
        found = named(self.schedules(), name)
        if found is None:
            return False
        if found.workers:
            have = "process has" if found.workers == 1 else "processes have"
            raise OptionError(
                f"{found.name} is the schedule of a task that {found.workers} worker "
                f"{have}: it would be made again. Take every= or cron= out of the "
                "code, or remove the task, and start the workers anew"
            )
        with self._connections.taken() as connection:
            return all(connection.delete_jobs([found.id]))

    def pause(self, tube: str, seconds: int) -> bool:
        """Hand out no jobs of a tube for some seconds; 0 ends that.

        Jobs that are running go on, and new jobs can be put. Returns False if there is
        no such tube.

        >>> operator.pause("emails", 60)
        True
        """
        with self._connections.taken() as connection:
            return connection.pause(check_job_tube(tube), seconds)

    def _put_noted(self, notes: Notes, options: PutOptions) -> dict[int, int]:
        """Put the jobs whose notes have a body; return new ids by the old ones."""
        new_ids: dict[int, int] = {}
        with self._connections.taken() as connection:
            for job_id, failure in notes.last_of_jobs().items():
                if failure.body is not None:
                    new_ids[job_id] = connection.put(
                        failure.tube, failure.body, options
                    )
            delete_notes(connection, notes.ids_of(new_ids))
        return new_ids

    def _changed(
        self, connection: OperatorConnection, change: Change, jobs: Sequence[JobStats]
    ) -> list[int]:
        """Change jobs, delete their notes, and return the ids of those changed.

        The notes are read before: a job may fail anew at once.
        """
        ids = [job.id for job in jobs]
        failed = {job.tube for job in jobs if job.buries or job.releases}
        notes = read_notes(self.address, failed) if failed else Notes([])
        changed = list(compress(ids, list(change(ids))))
        delete_notes(connection, notes.ids_of(set(changed)))
        return changed

    def _run(
        self,
        connection: OperatorConnection,
        tube: str,
        steps: Iterator[list[JobStats]],
        on_step: OnStep | None,
    ) -> int:
        """Make all steps, and return how many jobs they changed."""
        notes = self.notes(tube).ids_by_job()
        count = 0
        while True:
            with self.uninterrupted:
                changed = next(steps, None)
                if changed is None:
                    return count
                count += len(changed)
                if on_step:
                    on_step(changed)
                ids = [i for job in changed for i in notes.get(job.id, ())]
                delete_notes(connection, ids)
