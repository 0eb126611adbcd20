"""A proxy between clients and the broker, which harms their streams as a test says.

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


class Direction(enum.Enum):
    """The direction of a stream."""

    UP = "to the broker"
    DOWN = "to the client"


class Kind(enum.Enum):
    """A kind of harm to a stream."""

    CUT = "connection cut"
    HALF_CLOSE = "connection half-closed"
    GARBLE = "garbage for a reply"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Harm that is to come when so many more bytes have gone in one direction."""

    direction: Direction
    after: int  # bytes
    kind: Kind = Kind.CUT


@dataclass(frozen=True, slots=True)
class TroubleRecord:
    """Trouble that a connection had, and the client's process."""

    trouble: Trouble
    pid: int
    at: float  # time.monotonic()
    until: float  # when the connection was closed; a client may notice until then


class Link:
    """A connection of a client, and the one to the broker that belongs to it."""

    def __init__(
        self, proxy: "Proxy", client: socket.socket, trouble: Trouble | None
    ) -> None:
        self._proxy = proxy
        self._client = client
        self.pid = _peer(client)
        self._broker = socket.socket(socket.AF_UNIX)
        self._armed: dict[Direction, Trouble] = {}
        self._had: list[tuple[Trouble, float]] = []
        if trouble:
            self.arm(trouble)

    def arm(self, trouble: Trouble) -> None:
        """Plan trouble, to come after the one that is under way if there is one."""
        self._armed[trouble.direction] = trouble

    def run(self) -> None:
        """Pass on all bytes in both directions, until one side hangs up."""
        with self._client, self._broker, suppress(OSError):  # the broker may be away
            self._broker.connect(self._proxy.target)
            down = threading.Thread(
                target=self._pump, args=(Direction.DOWN,), daemon=True
            )
            down.start()
            self._pump(Direction.UP)
            down.join()
        for trouble, at in self._had:
            record = TroubleRecord(trouble, self.pid, at, time.monotonic())
            self._proxy.on_trouble(record)

    def close(self) -> None:
        for side in (self._client, self._broker):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _pump(self, direction: Direction) -> None:
        source, sink = self._client, self._broker
        if direction is Direction.DOWN:
            source, sink = sink, source
        # Known to this thread only, so that no byte is lost between two troubles.
        trouble: Trouble | None = None
        left = 0
        with suppress(OSError):
            while data := source.recv(2**16):
                self._proxy.wait_if_stalled()
                if trouble is None:
                    trouble = self._armed.pop(direction, None)
                    left = trouble.after if trouble else 0
                if trouble is None or len(data) < left:
                    self._send(data, sink)
                    left -= len(data)
                    continue
                self._send(data[:left], sink)
                self._had.append((trouble, time.monotonic()))
                self._proxy.troubles.append(trouble)
                if not self._apply(trouble.kind, source, sink):
                    break
                self._send(data[left:], sink)
                trouble = None
        self.close()

    def _apply(self, kind: Kind, source: socket.socket, sink: socket.socket) -> bool:
        """Harm the stream, and return whether it goes on afterwards."""
        if kind is Kind.GARBLE:
            self._send(GARBAGE, sink)
            return True
        if kind is Kind.HALF_CLOSE:
            sink.shutdown(socket.SHUT_WR)
            while source.recv(2**16):  # wait for the end of the other direction
                pass
        return False

    def _send(self, data: bytes, sink: socket.socket) -> None:
        size = self._proxy.chunk or len(data)
        for start in range(0, len(data), size or 1):
            sink.sendall(data[start : start + size])


class Proxy:
    """A server on a Unix socket that passes all bytes on to the broker.

    ``plan`` has the trouble of each new connection, in turn. ``on_trouble`` is called
    with each trouble at the end of the connection that had it.
    """

    def __init__(
        self,
        path: Path,
        target: str,
        plan: Sequence[Trouble] = (),
        on_trouble: Callable[[TroubleRecord], object] = lambda _: None,
    ) -> None:
        self.path = path
        self.url = f"unix://{path}"
        self.target = target
        self.plan = deque(plan)
        self.chunk = 0  # bytes in one write; 0: any number
        self.troubles: list[Trouble] = []  # that has happened
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
        """Pass on bytes again."""
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


def random_trouble(rng: random.Random) -> Trouble:
    """Return trouble of any kind, to come within the next commands or replies."""
    kind = rng.choice(list(Kind))
    direction = Direction.DOWN if kind is Kind.GARBLE else rng.choice(list(Direction))
    return Trouble(direction, rng.randrange(200), kind)


def _peer(client: socket.socket) -> int:
    if not hasattr(socket, "SO_PEERCRED"):  # not Linux
        return os.getpid()
    size = struct.calcsize("3i")
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid: int = struct.unpack("3i", credentials)[0]
    return pid
