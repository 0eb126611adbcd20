"""What a slot on an event loop waits for: a reply of the broker, or the job itself."""

import inspect
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol, TypeVar

from jobqueue.broker.settlement import DONE
from jobqueue.job.decision import RESERVATION_LOST, SUCCEEDED, Decision
from jobqueue.task.definition import Task
from jobqueue.worker.reporting.log_room import has_log_room
from jobqueue.worker.running.executor import Call, Executor, Result
from jobqueue.worker.slots.reservation import Reservation

if TYPE_CHECKING:
    from jobqueue.broker.loop_consuming import LoopConsumerConnection

T = TypeVar("T")


class LoopWait(Protocol):
    """Something that a slot on an event loop waits for."""

    def prepare(self, go_on: Callable[[], object]) -> None:
        """Have ``go_on`` called on the loop at the end of the wait. For any thread."""
        ...

    def begin(self) -> bool:
        """Begin to wait, on the loop; return whether there is nothing to wait for.

        Then ``go_on`` is not called.
        """
        ...

    def take_over(self) -> bool:
        """End the wait for the calling thread, if what it is for has come.

        Then ``go_on`` is not called. Returns False if the wait has to go on.
        """
        ...

    def loop_lost(self) -> None:
        """Take note that the loop has ended, and that nothing ends the wait."""
        ...


# What a slot yields before a step that may block: a thread takes it.
MAY_BLOCK = None

Steps = Generator[LoopWait | None, None, T]
"""Steps of a slot. A thread takes them all; an event loop those between two waits."""


def runs_on_loop(task: Task) -> bool:
    """Return whether a call of the task only makes a coroutine: no code runs before.

    A hook around a task, or a decorator, may block.
    """
    return inspect.iscoroutinefunction(task.func) and not task.around


class LoopWaits:
    """The steps of a slot that an event loop waits for, and no thread.

    Each does what the slot's own step of that name does, or makes it return at once.
    ``timeout`` is for the wait for a job, in seconds. After ``stopping`` none is
    requested.
    """

    def __init__(
        self,
        connection: "LoopConsumerConnection",
        executor: Executor,
        timeout: int,
        stopping: threading.Event,
    ) -> None:
        self.connection = connection
        self._executor = executor
        self._timeout = timeout
        self._stopping = stopping

    def reserve(self) -> Steps[None]:
        """Request a job, unless the slot is to stop, and wait for the reply."""
        connection = self.connection
        if self._stopping.is_set() and not connection.awaits_job:
            return
        connection.begin_reserve(self._timeout)
        if not connection.has_reply():
            yield connection
            if not connection.end_wait():
                yield MAY_BLOCK

    def run(self, call: Call, reservation: Reservation) -> Steps[Result]:
        """Call a job's function, and return what :meth:`Executor.run` would."""
        if not runs_on_loop(call.task):  # it was decorated after the worker's start
            yield MAY_BLOCK
            return self._executor.run(call, reservation)
        loop_call = self._executor.begin(call, reservation)
        yield loop_call
        if not loop_call.has_begun:  # the loop has ended: there will be another
            return self._executor.run(call, reservation)
        return self._executor.end(loop_call, reservation)

    def settle(self, reservation: Reservation) -> Steps[Decision]:
        """Delete a job that has succeeded, and request the next, unless stopping.

        Returns RESERVATION_LOST if it is not settled.
        """
        connection = self.connection
        if not reservation.begin_settle():
            yield MAY_BLOCK
            is_settled = reservation.settle(DONE, reserve=None)
            return SUCCEEDED if is_settled else RESERVATION_LOST
        reserve = None if self._stopping.is_set() else self._timeout
        connection.begin_settle(reservation.id, reserve=reserve)
        yield connection
        if not connection.end_wait():
            yield MAY_BLOCK
        is_settled = connection.end_settle()
        if not has_log_room():
            yield MAY_BLOCK
        return SUCCEEDED if is_settled else RESERVATION_LOST


ConnectOnLoop = Callable[[int, threading.Event], LoopWaits]
"""Makes a connection for the waits of a slot. Raises a BrokerError."""
