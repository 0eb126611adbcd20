"""An in-memory server that speaks beanstalkd's protocol, for development and tests.

``python -m jobqueue.devserver`` runs it as a process, :class:`DevServer` in a thread::

    with DevServer() as server:
        queue = JobQueue(server.url)

Jobs are in memory only: they are gone when the server stops.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from jobqueue.devserver.endpoint import Endpoint
from jobqueue.devserver.records import MAX_JOB_SIZE

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

__all__ = ["DevServer"]


class DevServer:
    """A development server in a thread of this process, during a ``with`` block.

    ``listen`` is ``HOST:PORT`` or ``unix:PATH``; port 0 is any free one, and
    ``url`` has the one it got. ``max_job_size`` is in bytes. Raises ``ValueError``
    for a ``listen`` that is no address, and ``OSError`` at the beginning of the block
    if the server can't listen there, and ``RuntimeError`` if it gets no thread.
    """

    url: str  # within the block

    def __init__(
        self, listen: str = "127.0.0.1:0", *, max_job_size: int = MAX_JOB_SIZE
    ) -> None:
        self._endpoint = Endpoint.parse(listen)
        self._max_job_size = max_job_size

    def __enter__(self) -> Self:
        import asyncio  # noqa: PLC0415 - slow: the command listens first
        from concurrent.futures import Future  # noqa: PLC0415 - as above

        from jobqueue.devserver.server import Server  # noqa: PLC0415 - as above

        sock = self._endpoint.listen()
        self.url = Endpoint.of(sock).url
        self._server = Server(sock, self._max_job_size)
        running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

        def serve() -> None:
            try:
                asyncio.run(self._serve(running))
            except BaseException as error:  # for example, no file descriptor is left
                if running.done():
                    raise
                running.set_exception(error)

        self._thread = threading.Thread(
            target=serve, name="jobqueue-devserver", daemon=True
        )
        try:
            self._thread.start()
            self._loop, self._stop = running.result()
        except BaseException:
            sock.close()
            self._endpoint.leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._endpoint.leave()

    def drain(self) -> None:
        """Refuse new jobs from now on, as beanstalkd does after a SIGUSR1."""
        self._server.drain()

    async def _serve(
        self, running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]
    ) -> None:
        import asyncio  # noqa: PLC0415 - as above

        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        await self._server.run(stop, lambda: running.set_result((loop, stop)))
