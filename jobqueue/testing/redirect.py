"""Sends the puts and workers of this process to another broker, or to none."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from jobqueue.broker.address import URL_VARIABLE
from jobqueue.broker.redirection import Redirection

if TYPE_CHECKING:
    from jobqueue.broker.redirection import Destination


@contextmanager
def redirected_to(destination: "Destination", url: str | None = None) -> Iterator[None]:
    """Send all puts of this process to a destination, whatever their queue's broker.

    If the destination is a broker, ``url`` is its URL: workers of this process that are
    given no URL take jobs from there, and ``$BEANSTALKD_URL`` names it for child
    processes. So no test reaches by mistake the broker that its application is
    configured for.

    Blocks may overlap, in several threads even: the one that began last counts.
    """
    block = _Block(destination, url)
    block.begin()
    try:
        yield
    finally:
        block.end()


class _Block:
    """A ``with`` block that redirects. The class holds those that are open."""

    _lock: ClassVar = threading.Lock()
    _open: ClassVar[list["_Block"]] = []  # in the order in which they began

    def __init__(self, destination: "Destination", url: str | None) -> None:
        self.destination = destination
        self.url = url
        self.url_outside: str | None = None  # $BEANSTALKD_URL outside of all blocks

    def begin(self) -> None:
        """Redirect from now on."""
        with self._lock:
            if self._open:
                self.url_outside = self._open[0].url_outside
            else:
                self.url_outside = os.environ.get(URL_VARIABLE)
            self._open.append(self)
            self._apply()

    def end(self) -> None:
        """End this redirection; of the blocks still open, the last one counts."""
        with self._lock:
            self._open.remove(self)
            self._apply()

    def _apply(self) -> None:
        """Redirect puts as the last block says, and workers as the last broker's."""
        latest_first = self._open[::-1]
        urls = (block.url for block in latest_first if block.url is not None)
        Redirection.destination = latest_first[0].destination if latest_first else None
        Redirection.url = next(urls, None)
        url = Redirection.url or self.url_outside
        if url is None:
            os.environ.pop(URL_VARIABLE, None)
        else:
            os.environ[URL_VARIABLE] = url
