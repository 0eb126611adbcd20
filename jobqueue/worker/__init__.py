"""The worker: reserves jobs, runs them, and tells the broker what became of them."""

from collections.abc import Iterable

from jobqueue.broker.address import Address
from jobqueue.task.options import check_time_limit
from jobqueue.task.registry import subscriber
from jobqueue.worker.exits import call_with_timeout
from jobqueue.worker.reporting import job_log
from jobqueue.worker.settings import (
    SHUTDOWN_TIMEOUT,
    Settings,
    check_count,
    check_secrets,
    check_shutdown_timeout,
    check_tubes,
    common_broker,
)
from jobqueue.worker.slots.manager import SlotManager

__all__ = ["Worker"]


class Worker:
    """Works off the jobs of some tubes in this process.

    ``tubes`` are names; without any, every tube that has a task. The modules with the
    tasks have to be imported before. ``url`` is the broker's; without one, the broker
    of the tasks' own queue.

    ``threads`` is the number of slots: each is a thread with a connection of its own,
    and runs one job at a time. ``async`` tasks run on one event loop, which the slots
    share. With ``burst`` the worker stops as soon as no job is ready; in any case it
    stops after ``max_jobs``, if that is given. ``time_limit``, in seconds, is for tasks
    that have none of their own. ``shutdown_timeout`` is for how many seconds a signal
    waits for the running jobs.

    Raises :class:`~jobqueue.errors.UnknownTubeError` for a tube without a task,
    :class:`~jobqueue.errors.OptionError` if the tubes' tasks belong to different
    brokers, or for a number or a ``$JOBQUEUE_SECRET`` that can't be, and
    :class:`~jobqueue.errors.BrokerURLError`.

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
    ) -> None:
        address = Address.parse(url) if url else None
        self.tubes = check_tubes(tubes)
        self._tasks = subscriber.tasks(self.tubes)
        self.address = address or common_broker(self._tasks)
        self._signed = check_secrets(self._tasks)
        self.crew = SlotManager(
            Settings(
                tubes=self.tubes,
                address=self.address,
                threads=check_count("threads", threads),
                burst=burst,
                max_jobs=max_jobs
                if max_jobs is None
                else check_count("max_jobs", max_jobs),
                time_limit=check_time_limit(time_limit),
                shutdown_timeout=check_shutdown_timeout(shutdown_timeout),
            )
        )

    def run(self) -> None:
        """Work until :meth:`stop` is called or a signal comes; once.

        In the main thread, SIGTERM and SIGINT stop the worker: the running jobs are
        finished first. After ``shutdown_timeout`` seconds, or at a second signal, the
        process exits with status 0 without waiting for them, and the broker makes them
        ready for another worker.

        Raises :class:`~jobqueue.errors.JobStuckError` if a job has not stopped within 5
        seconds of its time limit, when the others have ended. It was buried; its thread
        is left behind, and ends with the process.
        """
        job_log.started(self.tubes, self._tasks, self._signed, self.address)
        self.crew.run()
        call_with_timeout(job_log.stopped)

    def stop(self) -> None:
        """Reserve no more jobs, finish those that run, and return from :meth:`run`.

        Can be called from any other thread, at any time; it does not wait.
        """
        self.crew.stop()
