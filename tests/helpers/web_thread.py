"""The page in a thread of the test's own process, which can hold up what it does."""

import socket
import threading
from typing import Any, Self

import uvicorn

from jobqueue import JobQueue
from jobqueue.web import app
from tests.helpers.servers import eventually_true


class WebThread:
    """The page of a queue, served on a port of its own."""

    def __init__(self, queue: JobQueue, **options: Any) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        config = uvicorn.Config(
            app(queue, **options), log_config=None, lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._listening],)
        )

    def __enter__(self) -> Self:
        self._thread.start()
        eventually_true(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()
