"""The worker: reserves jobs, runs them, and tells the broker what became of them."""

import os
import sys
from collections.abc import Iterable
from typing import NoReturn

from jobqueue.address import Address
from jobqueue.errors import OptionError, UnknownTubeError
from jobqueue.message import check_tube
from jobqueue.subscriber import Task, subscriber
from jobqueue.worker import report
from jobqueue.worker.loop import Slot
from jobqueue.worker.signals import briefly, draining_on_signals

__all__ = ["Worker"]

SHUTDOWN_TIMEOUT = 30.0  # seconds
MAX_SHUTDOWN_TIMEOUT = 10**6  # seconds: what any platform's locks can wait for


class Worker:
    """Works off the jobs of some tubes, one at a time, in this process.

    ``tubes`` are names; without any, every tube that has a task. The modules with the
    tasks have to be imported before. ``url`` is the broker's; without one, the broker
    of the tasks' own queue. With ``burst`` the worker stops as soon as no job is ready.
    ``shutdown_timeout`` is for how many seconds a signal waits for the running job.

    Raises :class:`~jobqueue.errors.UnknownTubeError` for a tube without a task,
    :class:`~jobqueue.errors.OptionError` if the tubes' tasks belong to different
    brokers, and :class:`~jobqueue.errors.BrokerURLError`.

    >>> Worker(["emails"]).run()
    """

    def __init__(
        self,
        tubes: Iterable[str] = (),
        *,
        url: str | None = None,
        burst: bool = False,
        shutdown_timeout: float = SHUTDOWN_TIMEOUT,
    ) -> None:
        address = Address.parse(url) if url else None
        self.tubes = _check_tubes(tubes)
        self._tasks = subscriber.tasks(self.tubes)
        self.address = address or _common_broker(self._tasks)
        self._shutdown_timeout = _check_timeout(shutdown_timeout)
        self._slot = Slot(self.address, self.tubes, self._find, burst=burst)

    def run(self) -> None:
        """Work until :meth:`stop` is called or a signal comes; once.

        In the main thread, SIGTERM and SIGINT stop the worker: the running job is
        finished first. After ``shutdown_timeout`` seconds, or at a second signal, the
        process exits with status 0 without waiting for it, and the broker makes the job
        ready for another worker.
        """
        report.started(self.tubes, self._tasks, self.address)
        with draining_on_signals(self._drain, self._abandon, self._shutdown_timeout):
            self._slot.run()
        report.stopped()

    def stop(self) -> None:
        """Reserve no more jobs, finish the one that runs, and return from :meth:`run`.

        Can be called from any other thread, at any time; it does not wait.
        """
        self._slot.stop()

    def _find(self, tube: str, func_name: str) -> Task | None:
        return subscriber.find(tube, func_name) if tube in self.tubes else None

    def _drain(self) -> None:
        running = self._slot.running
        self.stop()
        briefly(report.stopping, running)

    def _abandon(self) -> None:
        briefly(report.abandoned, self._slot.running)
        exit_now()


def exit_now() -> NoReturn:
    """End the process with status 0, whatever its other threads do.

    What tasks have printed is written out before. ``sys.exit`` would not do: the main
    thread may be inside of a task, and other threads would be waited for.
    """
    for stream in (sys.stdout, sys.stderr):
        briefly(stream.flush)
    os._exit(0)


def _check_timeout(seconds: object) -> float:
    if isinstance(seconds, int | float) and 0 <= seconds <= MAX_SHUTDOWN_TIMEOUT:
        return seconds
    raise OptionError(
        "shutdown_timeout has to be a number of seconds from 0 to "
        f"{MAX_SHUTDOWN_TIMEOUT}, not {seconds!r}"
    )


def _check_tubes(tubes: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tubes, str):
        raise OptionError(f"tubes has to be a list of names, as in [{tubes!r}]")
    names = tuple(dict.fromkeys(check_tube(tube) for tube in tubes))
    known = subscriber.tubes()
    for tube in names:
        if tube not in known:
            raise UnknownTubeError(
                f"no task is registered in tube {tube!r} "
                f"(known tubes: {', '.join(known) or 'none'}): "
                "is the module with its tasks imported?"
            )
    if not known:
        raise UnknownTubeError(
            "no task is registered: import the modules that have the tasks first "
            "(on the command line: --import app.tasks)"
        )
    return names or tuple(known)


def _common_broker(tasks: Iterable[Task]) -> Address:
    brokers = {Address.find(task.broker_url) for task in tasks}
    if len(brokers) == 1:
        return brokers.pop()
    raise OptionError(
        "the tasks of these tubes belong to different brokers "
        f"({', '.join(sorted(map(str, brokers)))}): "
        "start a worker for each, naming its tubes or its URL"
    )
