"""What lies between a client and the broker, and does to their bytes what a test says.

Both sides are Unix sockets, so that the system says which process a client is.
"""

import enum
import os
import random
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

GARBAGE = b"\xff\x00 no reply at all\r\n"


class Way(enum.Enum):
    """Which way bytes go."""

    UP = "to the broker"
    DOWN = "to the client"


class What(enum.Enum):
    """What is done to a stream at some byte."""

    CUT = "connection cut"
    HALF_CLOSE = "connection half-closed"
    GARBLE = "garbage for a reply"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is to happen when so many more bytes have gone one way."""

    way: Way
    after: int  # bytes
    what: What = What.CUT


@dataclass(frozen=True, slots=True)
class Happened:
    """Some trouble that there was, and whose connection had it."""

    trouble: Trouble
    pid: int
    at: float  # time.monotonic()
    until: float  # when the connection was closed: it may be found troubled till then


class Link:
    """One connection of a client, and its other half to the broker."""

    def __init__(
        self, proxy: "Proxy", client: socket.socket, trouble: Trouble | None
    ) -> None:
        self._proxy = proxy
        self._client = client
        self.pid = _peer(client)
        self._broker = socket.socket(socket.AF_UNIX)
        self._armed: dict[Way, Trouble] = {}
        self._had: list[tuple[Trouble, float]] = []
        if trouble:
            self.arm(trouble)

    def arm(self, trouble: Trouble) -> None:
        """Have some trouble soon, after that which is under way if there is any."""
        self._armed[trouble.way] = trouble

    def run(self) -> None:
        """Pass on all that comes, both ways, until one side hangs up."""
        with self._client, self._broker, suppress(OSError):  # the broker is away
            self._broker.connect(self._proxy.target)
            down = threading.Thread(target=self._pump, args=(Way.DOWN,), daemon=True)
            down.start()
            self._pump(Way.UP)
            down.join()
        for trouble, at in self._had:
            happened = Happened(trouble, self.pid, at, time.monotonic())
            self._proxy.on_trouble(happened)

    def close(self) -> None:
        for side in (self._client, self._broker):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _pump(self, way: Way) -> None:
        source, sink = self._client, self._broker
        if way is Way.DOWN:
            source, sink = sink, source
        # Only this thread knows it, so that no byte gets lost between two troubles.
        trouble: Trouble | None = None
        left = 0
        with suppress(OSError):
            while data := source.recv(2**16):
                self._proxy.wait_if_stalled()
                if trouble is None:
                    trouble = self._armed.pop(way, None)
                    left = trouble.after if trouble else 0
                if trouble is None or len(data) < left:
                    self._send(data, sink)
                    left -= len(data)
                    continue
                self._send(data[:left], sink)
                self._had.append((trouble, time.monotonic()))
                self._proxy.troubles.append(trouble)
                if not self._goes_on(trouble.what, source, sink):
                    break
                self._send(data[left:], sink)
                trouble = None
        self.close()

    def _goes_on(self, what: What, source: socket.socket, sink: socket.socket) -> bool:
        """Do something to the stream, and return whether it goes on after that."""
        if what is What.GARBLE:
            self._send(GARBAGE, sink)
            return True
        if what is What.HALF_CLOSE:
            sink.shutdown(socket.SHUT_WR)
            while source.recv(2**16):  # the other way goes on until it ends, too
                pass
        return False

    def _send(self, data: bytes, sink: socket.socket) -> None:
        size = self._proxy.chunk or len(data)
        for start in range(0, len(data), size or 1):
            sink.sendall(data[start : start + size])


class Proxy:
    """Listens at a Unix socket, and passes all on to the broker.

    ``plan`` is the trouble that each new connection will have, in turn. ``on_trouble``
    is told of trouble at the end of the connection that had it.
    """

    def __init__(
        self,
        path: Path,
        target: str,
        plan: Sequence[Trouble] = (),
        on_trouble: Callable[[Happened], object] = lambda _: None,
    ) -> None:
        self.url = f"unix://{path}"
        self.target = target
        self.plan = deque(plan)
        self.chunk = 0  # bytes in one write; 0: any number
        self.troubles: list[Trouble] = []  # that there were
        self.on_trouble = on_trouble
        self._links: dict[Link, threading.Thread] = {}
        self._flows = threading.Event()
        self._flows.set()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(1024)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def links(self) -> list[Link]:
        """Return the connections that are open now."""
        return list(self._links.copy())

    def stall(self) -> None:
        """Pass nothing on until :meth:`flow`."""
        self._flows.clear()

    def flow(self) -> None:
        """Pass on what comes, as at first."""
        self._flows.set()

    def wait_if_stalled(self) -> None:
        self._flows.wait()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                link = Link(self, client, self.plan.popleft() if self.plan else None)
                thread = threading.Thread(target=self._run, args=(link,), daemon=True)
                self._links[link] = thread
                thread.start()

    def _run(self, link: Link) -> None:
        try:
            link.run()
        finally:
            del self._links[link]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.flow()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        for link, thread in self._links.copy().items():
            link.close()
            thread.join()


def some_trouble(chance: random.Random) -> Trouble:
    """Return trouble of any kind, within the next commands or replies."""
    what = chance.choice(list(What))
    way = Way.DOWN if what is What.GARBLE else chance.choice(list(Way))
    return Trouble(way, chance.randrange(200), what)


def _peer(client: socket.socket) -> int:
    if not hasattr(socket, "SO_PEERCRED"):  # not Linux
        return os.getpid()
    size = struct.calcsize("3i")
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid: int = struct.unpack("3i", credentials)[0]
    return pid
