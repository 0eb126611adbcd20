"""A call in a thread of its own, for what would block an event loop."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from jobqueue.errors import JobQueueError

T = TypeVar("T")


async def in_own_thread(call: Callable[..., T], /, *args: Any) -> T:  # noqa: ANN401
    """Run a function in a thread that only it uses, and return what it returns.

    Raises :class:`~jobqueue.errors.JobQueueError`, and has called nothing, if the
    system starts no more threads.

    ``asyncio.to_thread`` would use the loop's default executor: its few threads are
    what asyncio itself needs for each look-up of a host name.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()  # what has begun is not taken back
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcome.set_result(context.run(call, *args))
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="jobqueue-aput")
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        raise JobQueueError(
            f"nothing was put: the thread for it can't be started ({error})"
        ) from error
    return await asyncio.wrap_future(outcome)
