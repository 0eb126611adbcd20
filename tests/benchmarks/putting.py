"""Puts jobs in each way, as its standard input says: what `producer.py` measures.

Reads lines of a way and a number of puts; answers each with the seconds that it took,
and the seconds of CPU. It is a process of its own, so that it can have the jobqueue of
another checkout, and a core to itself.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator

import greenstalk

from jobqueue import JobQueue

ARGUMENTS = {"arg1": "a", "arg2": "b", "arg3": "c"}
BODY = (
    b'{"func_name":"task_one","tube":"bench",'
    b'"kwargs":{"arg1":"a","arg2":"b","arg3":"c"}}'
)
BATCH = 500
TOGETHER = (1, 10, 100)  # puts of an event loop that are awaited at the same time
SECRET = "0123456789abcdef" * 4

Way = Callable[[int], object]


def main() -> None:
    """Put jobs until the end of the standard input."""
    url = os.environ["BEANSTALKD_URL"]
    port = int(url.rpartition(":")[2])
    with (
        JobQueue(url) as queue,
        JobQueue(url, secret=SECRET) as signing,
        asyncio.Runner() as runner,
    ):
        ways = {**of_jobqueue(queue, signing, runner), **floors(port)}
        print(flush=True)
        for line in sys.stdin:
            name, _, count = line.strip().rpartition(" ")
            started, cpu = time.perf_counter(), time.process_time()
            ways[name](int(count))
            seconds = time.perf_counter() - started
            print(seconds, time.process_time() - cpu, flush=True)


def of_jobqueue(
    queue: JobQueue, signing: JobQueue, runner: asyncio.Runner
) -> dict[str, Way]:
    """Return the ways to put jobs with jobqueue."""

    @queue.task("bench")
    def task_one(arg1: str, arg2: str, arg3: str) -> None: ...

    signed = signing.task("signed")(task_one.__wrapped__)

    def put(count: int) -> None:
        for _ in range(count):
            task_one.put(arg1="a", arg2="b", arg3="c")

    def aput(together: int) -> Way:
        async def put_in_turn(numbers: Iterator[int]) -> None:
            for _ in numbers:
                await task_one.aput(arg1="a", arg2="b", arg3="c")

        async def put_together(count: int) -> None:
            numbers = iter(range(count))
            await asyncio.gather(*(put_in_turn(numbers) for _ in range(together)))

        return lambda count: runner.run(put_together(count))

    def put_many(count: int) -> None:
        task_one.put_many(dict(ARGUMENTS) for _ in range(count))

    def put_signed(count: int) -> None:
        for _ in range(count):
            signed.put(arg1="a", arg2="b", arg3="c")

    def put_many_signed(count: int) -> None:
        signed.put_many(dict(ARGUMENTS) for _ in range(count))

    return {
        "put": put,
        **{f"aput, {together} at a time": aput(together) for together in TOGETHER},
        "put, signed": put_signed,
        "put_many": put_many,
        "put_many, signed": put_many_signed,
    }


def floors(port: int) -> dict[str, Way]:
    """Return the ways that do without jobqueue."""

    def client() -> "greenstalk.Client[str]":
        return greenstalk.Client(("127.0.0.1", port), use="bench")

    def greenstalk_put(count: int) -> None:
        with client() as one:
            for _ in range(count):
                one.put(BODY.decode())

    def bare_socket(count: int) -> None:
        command = b"put 65536 0 60 %d\r\n%b\r\n" % (len(BODY), BODY)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            replies = sock.makefile("rb")
            for _ in range(0, count, BATCH):
                sock.sendall(command * BATCH)
                for _ in range(BATCH):
                    if not replies.readline().startswith(b"INSERTED "):
                        raise RuntimeError("not inserted")
            replies.close()

    def connection_per_put(count: int) -> None:
        for _ in range(count):
            with client() as one:
                one.put(BODY.decode())

    return {
        "greenstalk, one connection": greenstalk_put,
        "a connection for each put": connection_per_put,
        "bare socket, 500 a write": bare_socket,
    }


if __name__ == "__main__":
    main()
