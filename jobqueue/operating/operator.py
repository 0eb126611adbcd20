"""Operator: looks at the jobs that the broker has, and changes them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import compress
from typing import Self

from jobqueue.broker.address import Address
from jobqueue.broker.checks import check_tube, whole_number
from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.operating.connections import Connections
from jobqueue.operating.filters import Filters, check_states
from jobqueue.operating.finder import Finder
from jobqueue.operating.record import JobRecord
from jobqueue.operating.sweep import Sweep

OnStep = Callable[[list[JobStats]], None]


class Operator:
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
        self._connections = Connections(url)
        # The commands have signals wait here until a step is done.
        self.uninterrupted: AbstractContextManager[object] = nullcontext()

    @property
    def address(self) -> Address:
        """Where the broker is."""
        return self._connections.address

    def server(self) -> ServerStats:
        """Return the counts and the settings of the broker itself.

        >>> operator.server().ready
        1
        """
        with self._connections.taken() as connection:
            return connection.server()

    def tubes(self, *names: str) -> list[TubeStats]:
        """Return the counts of these tubes, or of all; a tube that is none is left out.

        A tube exists only while it has jobs, or while a client uses or watches it.

        >>> [(tube.tube, tube.ready, tube.delayed) for tube in operator.tubes()]
        [('default', 0, 0), ('emails', 1, 1)]
        """
        with self._connections.taken() as connection:
            tubes = connection.tube_stats(names or connection.tubes())
        return [tube for tube in tubes if tube]

    def tube(self, name: str) -> TubeStats | None:
        """Return the counts of a tube; None if there is no such tube.

        >>> tube = operator.tube("emails")
        >>> tube.ready, tube.delayed, tube.reserved, tube.buried
        (1, 1, 0, 1)
        """
        return next(iter(self.tubes(name)), None)

    def jobs(
        self,
        tube: str,
        *states: str,
        func_name: str | None = None,
        containing: str | None = None,
    ) -> Iterator[JobRecord]:
        """Yield the jobs of a tube that are in these states, or in any.

        ``func_name`` is that of the task's function. ``containing`` is a text that is
        in the job's body. There are no jobs in a tube that does not exist.

        beanstalkd has no list of its jobs: each id is asked about, thousands at a time,
        until there are as many jobs as the tube has. Raises
        :class:`~jobqueue.errors.IncompleteSearchError` at the end if some were not
        found. They come in no particular order.

        >>> for job in operator.jobs("emails", "buried"):
        ...     print(job.id, job.func_name, job.kwargs, job.stats.kicks)
        2 send {'to': 'nobody'} 0
        """
        check_tube(tube)
        filters = Filters(func_name, containing)
        return self._jobs(tube, check_states(states), filters)

    def _jobs(
        self, tube: str, states: list[JobState], filters: Filters
    ) -> Iterator[JobRecord]:
        with self.finding(tube, states, filters) as finder:
            if finder is not None:
                for jobs in finder.blocks():
                    yield from finder.with_bodies(jobs)
                finder.check_complete()

    @contextmanager
    def finding(
        self, tube: str, states: list[JobState], filters: Filters
    ) -> Iterator[Finder | None]:
        """Yield what finds the jobs of a tube; None if there is no such tube."""
        with self._connections.taken() as connection:
            counts = connection.tube(tube)
            yield counts and Finder(connection, counts, states, filters)

    def job(self, job_id: int) -> JobRecord | None:
        """Return a job; None if there is no such job: it was done, or deleted.

        >>> job = operator.job(1)
        >>> job.tube, job.state, job.func_name, job.kwargs
        ('emails', <JobState.READY: 'ready'>, 'send', {'to': 'ada'})
        >>> operator.job(4) is None
        True
        """
        with self._connections.taken() as connection:
            found = connection.job(job_id)
        return JobRecord(*found) if found else None

    def job_stats(self, *ids: int) -> list[JobStats | None]:
        """Return the counts of each of these jobs; None for one that does not exist.

        >>> [stats and stats.state.value for stats in operator.job_stats(1, 2, 4)]
        ['ready', 'buried', None]
        """
        with self._connections.taken() as connection:
            return list(connection.jobs(ids))

    def kick(self, *ids: int) -> list[int]:
        """Make buried jobs ready, and return the ids of those that were.

        A kick grants a job its limits anew: ``retries`` and ``max_lost``. Jobs in other
        states, delayed ones too, are left as they are.

        >>> operator.kick(1, 2)
        [2]
        """
        with self._connections.taken() as connection:
            jobs = connection.jobs(ids)
            buried = [job.id for job in jobs if job and job.state == JobState.BURIED]
            return list(compress(buried, list(connection.kick_jobs(buried))))

    def kick_all(
        self, tube: str, *, count: int | None = None, on_step: OnStep | None = None
    ) -> int:
        """Make the buried jobs of a tube ready, and return how many these were.

        With ``count`` these are as many jobs at most, those that were buried first.
        ``on_step`` is called after each step with the jobs kicked in it, as their
        counts were before.

        >>> operator.kick_all("emails")
        1
        """
        with self._connections.taken() as connection:
            counts = connection.tube(tube)
            if counts is None:
                return 0
            sweep = Sweep(connection, counts.tube, JobState.BURIED)
            if count is None:
                steps = sweep.in_any_order(connection.kick_jobs, counts.buried)
            else:
                most = min(counts.buried, whole_number("count", count, most=None))
                steps = sweep.in_order(connection.kick_jobs, most)
            return self._run(steps, on_step)

    def delete(self, *ids: int) -> list[int]:
        """Delete jobs, and return the ids of those that were there to be deleted.

        A reserved job can be deleted by its worker only.

        >>> operator.delete(1, 4)
        [1]
        """
        with self._connections.taken() as connection:
            return list(compress(ids, list(connection.delete_jobs(ids))))

    def clear(self, tube: str, *states: str, on_step: OnStep | None = None) -> int:
        """Delete the jobs of a tube that are in these states; return how many.

        At least one state is needed. A reserved job can be deleted by its worker only.
        ``on_step`` is called after each step with the jobs deleted in it.

        >>> operator.clear("emails", "ready", "buried")
        2
        """
        deleted = 0
        with self._connections.taken() as connection:
            counts = connection.tube(tube)
            for state in check_states(states) if states and counts else []:
                sweep = Sweep(connection, tube, state)
                most = counts.jobs_in([state]) if counts else 0
                steps = sweep.in_any_order(connection.delete_jobs, most)
                deleted += self._run(steps, on_step)
        return deleted

    def pause(self, tube: str, seconds: int) -> bool:
        """Hand out no jobs of a tube for some seconds; 0 ends that.

        Jobs that are running go on, and new jobs can be put. Returns False if there is
        no such tube.

        >>> operator.pause("emails", 60)
        True
        """
        with self._connections.taken() as connection:
            return connection.pause(tube, seconds)

    def close(self) -> None:
        """Close the open connections; a later call makes a new one."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, steps: Iterator[list[JobStats]], on_step: OnStep | None) -> int:
        """Make all steps, and return how many jobs they changed."""
        count = 0
        while True:
            with self.uninterrupted:
                changed = next(steps, None)
                if changed is None:
                    return count
                count += len(changed)
                if on_step:
                    on_step(changed)
