"""PromptHttp: HTTP connections that can't be taken from those who have a password.

uvicorn waits for the rest of a request for ever, and counts such a connection as any
other. So whoever opens some and says nothing could have everybody else refused.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 100  # connections; of more, the one that is idle for the longest is closed
PATIENCE = 20.0  # seconds for the head of a request


class PromptHttp(H11Protocol):
    """A connection whose requests have to come within a time."""

    since = 0.0  # when it was made, or asked last; by the clock of the loop
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return bool(getattr(self.cycle, "response_complete", True))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self.since = self.loop.time()
        self._wait()
        if len(self.connections) > MOST:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request. One that goes on in small parts gains no time."""
        super().data_received(data)
        if self.is_idle:
            self._wait()
        else:
            self.since = self.loop.time()
            self._cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._cancel()

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(PATIENCE, self.transport.close)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_room(self) -> None:
        """Close the connection that is idle for the longest time."""
        ours = (other for other in self.connections if isinstance(other, PromptHttp))
        idle = [other for other in ours if other.is_idle and other is not self]
        if idle:
            min(idle, key=lambda other: other.since).transport.close()
