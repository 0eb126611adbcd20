"""BrokerCalls: pages are made in threads, a few at a time, each within a time-out.

An operator blocks, and a broker may take its time. So no page is made on the event
loop, and requests that come while all threads wait for the broker wait for these.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from jobqueue.errors import BrokerTimeoutError

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8
TIMEOUT = 10.0  # seconds, with the wait for a thread


class BrokerCalls:
    """Runs functions in threads of its own, which start at the first call."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="jobqueue-web")

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what a function returns.

        Raises :class:`~jobqueue.errors.BrokerTimeoutError` if it takes too long: it
        goes on, with nobody to take its result, until the broker's own time-out.
        """
        loop = asyncio.get_running_loop()
        call = partial(function, *args, **kwargs)
        future = loop.run_in_executor(self._threads, call)
        try:
            return await asyncio.wait_for(future, self._timeout)
        except BrokerTimeoutError:
            raise
        except TimeoutError:
            raise BrokerTimeoutError(
                f"the broker's answers took longer than {self._timeout:g} s"
            ) from None
