"""PromptHttp: HTTP connections that can't be taken from those who have a password.

uvicorn waits for the rest of a request for ever, and counts such a connection as any
other. So whoever opens some and says nothing could have everybody else refused.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 100  # connections; of more, one that waits for its request is closed
PATIENCE = 20.0  # seconds for the head of a request


class PromptHttp(H11Protocol):
    """A connection whose requests have to come within a time."""

    timer: asyncio.TimerHandle | None = None  # runs while a request is waited for

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > MOST:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request. One that goes on in small parts gains no time."""
        super().data_received(data)
        if getattr(self.cycle, "response_complete", True):  # or no request yet
            self._wait()
        else:
            self._cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        super().connection_lost(exc)
        self._cancel()

    def _wait(self) -> None:
        if self.timer is None:
            self.timer = self.loop.call_later(PATIENCE, self.transport.close)

    def _cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _make_room(self) -> None:
        """Close the connection that has waited for a request for the longest time."""
        waiting = {
            other.timer.when(): other
            for other in self.connections
            if isinstance(other, PromptHttp) and other.timer is not None
        }
        if waiting:
            waiting[min(waiting)].transport.close()
