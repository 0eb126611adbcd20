"""The floors that the protocol sets: the same without a library, or with greenstalk.

    python -m tests.benchmarks.peers.floors HOST:PORT OPERATIONS

Prints operations a second by name, as JSON.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import BinaryIO

import greenstalk

from tests.benchmarks.peers.awake import awake

BATCH = 500
BODY = (
    b'{"func_name":"noop","tube":"bench","kwargs":{"arg1":"a","arg2":"b","arg3":"c"}}'
)
PUT = b"put 65536 0 60 %d\r\n%b\r\n" % (len(BODY), BODY)


def main() -> None:
    """Measure each floor once."""
    host, _, port = sys.argv[1].rpartition(":")
    floors = Floors((host, int(port)))
    count = int(sys.argv[2])
    for put in (floors.put_pipelined, floors.work_pipelined):  # warm up
        put(BATCH)
    rates = {}
    # Those that process jobs come after those that put as many.
    for operation, share in (
        (floors.put_pipelined, 1),
        (floors.work_pipelined, 1),
        (floors.put, 1),
        (floors.work_greenstalk, 1),
        (floors.put_greenstalk, 1),
        (floors.put_connection, 0.2),
    ):
        name = operation.__name__
        with awake() if name.startswith("put") else nullcontext():  # as for libraries
            rates[f"floor_{name}"] = rate(operation, int(count * share))
    print(json.dumps(rates))


def rate(operation: Callable[[int], None], count: int) -> float:
    """Return a rate, in jobs/s."""
    started = time.perf_counter()
    operation(count)
    return count / (time.perf_counter() - started)


class Floors:
    """The loops: each puts or processes a number of jobs of one broker."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address

    @contextmanager
    def _bare(self) -> Iterator[tuple[socket.socket, BinaryIO]]:
        with (
            socket.create_connection(self._address) as sock,
            sock.makefile("rb") as replies,
        ):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield sock, replies

    def put_pipelined(self, count: int) -> None:
        """Put 500 jobs in a write, and the next before the replies are read."""
        with self._bare() as (sock, replies):
            sock.sendall(PUT * BATCH)
            for sent in range(BATCH, count + BATCH, BATCH):
                if sent < count:
                    sock.sendall(PUT * BATCH)
                for _ in range(BATCH):
                    expect(replies, b"INSERTED")

    def put(self, count: int) -> None:
        """Put a job, and wait for the reply."""
        with self._bare() as (sock, replies):
            for _ in range(count):
                sock.sendall(PUT)
                expect(replies, b"INSERTED")

    def work_pipelined(self, count: int) -> None:
        """Delete a job and reserve the next in one write."""
        with self._bare() as (sock, replies):
            sock.sendall(b"reserve\r\n")
            for number in range(1, count + 1):
                _, job_id, size = expect(replies, b"RESERVED")
                json.loads(replies.read(int(size) + 2))
                following = b"reserve\r\n" if number < count else b""
                sock.sendall(b"delete %b\r\n%b" % (job_id, following))
                expect(replies, b"DELETED")

    def work_greenstalk(self, count: int) -> None:
        """Reserve and delete with greenstalk."""
        with greenstalk.Client(self._address, encoding=None) as client:
            for _ in range(count):
                job = client.reserve()
                json.loads(job.body)
                client.delete(job)

    def put_greenstalk(self, count: int) -> None:
        """Put with greenstalk, on one connection."""
        with greenstalk.Client(self._address, encoding=None) as client:
            for _ in range(count):
                client.put(BODY)

    def put_connection(self, count: int) -> None:
        """Put with greenstalk, on a connection for each put."""
        for _ in range(count):
            with greenstalk.Client(self._address, encoding=None) as client:
                client.put(BODY)


def expect(replies: BinaryIO, word: bytes) -> list[bytes]:
    """Return the words of a reply."""
    words = replies.readline().split()
    if words[:1] != [word]:
        raise RuntimeError(f"expected {word!r}, got {words!r}")
    return words


if __name__ == "__main__":
    main()
