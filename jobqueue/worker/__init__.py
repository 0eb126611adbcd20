"""The worker: reserves jobs, runs them, and tells the broker what became of them.

The life of a job is one function, :meth:`Slot._take_jobs` in ``slots/slot.py``::

    reserve    broker/consuming.py     one connection, one job at a time
    resolve    running/executor.py     body -> task and arguments, or a refusal
    admit      slots/admission.py      may it run? crash loops, age, signed tube
    run        running/executor.py     hooks, time limit, event loop -> Result
    decide     job/outcome.py          the one rule: delete, release or bury
    settle     slots/reservation.py    tells the broker, asks for the next in one write
                                       (with a note of a failure: failure_notes.py)
    report     reporting/reporter.py   to the log and the counters

A thread takes a slot through these steps (``slots/slot_thread.py``). If all tasks are
async, the event loop does, and threads only take the steps that may block
(``slots/loop_slot.py``).

Meanwhile ``slots/heartbeat.py`` touches the running jobs, and ``slots/manager.py``
starts, watches and stops the slots of this process (``slots/shutdown.py``). If tasks
are periodic, ``schedules/keeper.py`` puts their jobs when they are due. The command
(``__main__.py``) runs a supervisor with its processes, ``processes/supervisor.py``, and
each of these runs a worker: ``one_process.py``.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

from jobqueue.broker.address import Address
from jobqueue.task.options import check_time_limit
from jobqueue.task.registry import subscriber
from jobqueue.worker.patched import (
    check_limits_of_greenlets,
    has_real_threads,
    patching_library,
)
from jobqueue.worker.reporting import process_log
from jobqueue.worker.settings import (
    FAILURES_KEPT,
    SHUTDOWN_TIMEOUT,
    Settings,
    check_count,
    check_failures_kept,
    check_max_jobs,
    check_secrets,
    check_shutdown_timeout,
    check_tubes,
    common_broker,
)
from jobqueue.worker.slots.manager import SlotManager

__all__ = ["Worker"]


class Worker:
    """Runs the jobs of some tubes in this process.

    ``tubes`` are names; without any, the worker takes every tube that has a task. The
    modules with the tasks have to be imported first. ``url`` is the broker's URL;
    without one, the worker uses the broker of the tasks' queue.

    ``threads`` is the number of slots: each is a thread with a connection of its own,
    and runs one job at a time. ``async`` tasks run on one event loop, which the slots
    share; if all tasks are ``async``, the slots need no threads. With ``burst`` the
    worker stops as soon as no job is ready, and with ``max_jobs`` it stops after that
    many jobs. ``time_limit``, in seconds, is for tasks that have none of their own.
    ``shutdown_timeout`` is how many seconds running jobs get to finish after a signal.
    ``failures_kept`` is how many notes of why jobs of a tube failed are kept in the
    broker, and as many again of its retries; 0: none.

    Raises :class:`~jobqueue.errors.UnknownTubeError` for a tube without a task,
    :class:`~jobqueue.errors.OptionError` if the tubes' tasks belong to different
    brokers, and for an invalid number or ``$JOBQUEUE_SECRET``, and
    :class:`~jobqueue.errors.BrokerURLError` for a malformed ``url``.

    >>> Worker(["emails"], threads=8).run()
    """

    def __init__(
        self,
        tubes: Iterable[str] = (),
        *,
        url: str | None = None,
        threads: int = 1,
        burst: bool = False,
        max_jobs: int | None = None,
        time_limit: float | None = None,
        shutdown_timeout: float = SHUTDOWN_TIMEOUT,
        failures_kept: int = FAILURES_KEPT,
    ) -> None:
        address = Address.parse(url) if url else None
        self.tubes = check_tubes(tubes)
        self._tasks = subscriber.tasks(self.tubes)
        self.address = address or common_broker(self._tasks)
        self._signed = check_secrets(self._tasks)
        self.settings = Settings(
            tubes=self.tubes,
            address=self.address,
            threads=check_count("threads", threads),
            burst=burst,
            max_jobs=check_max_jobs(max_jobs),
            time_limit=check_time_limit(time_limit),
            shutdown_timeout=check_shutdown_timeout(shutdown_timeout),
            failures_kept=check_failures_kept(failures_kept),
        )
        check_limits_of_greenlets(self._tasks, time_limit)
        self.manager = SlotManager(self.settings)

    def run(self) -> None:
        """Run jobs until :meth:`stop` is called or a signal arrives. Works only once.

        In the main thread, SIGTERM and SIGINT stop the worker, and so does SIGHUP,
        unless the application ignores or handles it. The running jobs are finished
        first. After ``shutdown_timeout`` seconds, or at a second SIGTERM or SIGINT that
        comes a second later or more, the process exits with status 0 without waiting
        for them, and the broker makes them ready for another worker. SIGUSR1, unless
        the application ignores or handles it, does what :meth:`quiet` does.

        Raises :class:`~jobqueue.errors.JobStuckError`, when all other jobs have ended,
        if a job did not stop within 5 seconds of its time limit. The stuck job is
        buried; its thread goes on until the process ends.
        """
        reporter = self.manager.reporter
        if any(task.on_buried for task in self._tasks):
            from jobqueue.worker.reporting.burial_hooks import BurialHooks  # noqa: PLC0415

            reporter.add(BurialHooks(subscriber.tasks))
        reporter.worker_started(self.tubes, self._tasks, self._signed, self.address)
        if not has_real_threads():
            process_log.threads_are_greenlets(patching_library())
        with self._schedules_kept():
            self.manager.run()
        reporter.worker_stopped()

    def _schedules_kept(self) -> AbstractContextManager[object]:
        """Return what keeps the schedules of the periodic tasks meanwhile, if any.

        A worker that is to end when no job is ready keeps none.
        """
        tasks = [task for task in self._tasks if task.schedule]
        if not tasks or self.settings.burst:
            return nullcontext()
        from jobqueue.worker.schedules.keeper import ScheduleKeeper  # noqa: PLC0415

        keeper = ScheduleKeeper(tasks, self.address, self.settings.timings)
        self.manager.reporter.add(keeper)
        return keeper

    def quiet(self) -> None:
        """Reserve no more jobs, finish the running ones, and wait for a stop.

        Can be called from any other thread, at any time; it does not wait. :meth:`run`
        goes on until :meth:`stop` is called or a signal arrives.
        """
        self.manager.quiet()

    def stop(self) -> None:
        """Reserve no more jobs, finish the running ones, and let :meth:`run` return.

        Can be called from any other thread, at any time; it does not wait.
        """
        self.manager.stop()
