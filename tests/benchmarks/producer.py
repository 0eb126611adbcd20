"""How fast jobs are put, beside what the protocol allows.

    python tests/benchmarks/producer.py [--puts N] [--rounds N]

Starts a beanstalkd of its own. All contenders take turns in every round, so that a slow
moment of the machine hits them alike; what counts are the ratios, round by round.
"""

import argparse
import asyncio
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jobqueue import JobQueue

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.helpers.servers import REAL, Beanstalkd, free_port

ARGUMENTS = {"arg1": "a", "arg2": "b", "arg3": "c"}
BODY = (
    b'{"func_name":"task_one","tube":"bench",'
    b'"kwargs":{"arg1":"a","arg2":"b","arg3":"c"}}'
)
BATCH = 500
TOGETHER = (1, 10, 100)  # puts of an event loop that are awaited at the same time
SECRET = "0123456789abcdef" * 4


def main() -> None:
    """Measure, and print rates and ratios."""
    parser = argparse.ArgumentParser(description="How fast are jobs put?")
    parser.add_argument("--puts", type=int, default=2_000, help="each, in each round")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    port = free_port()
    with (
        Beanstalkd(port, program=REAL) as broker,
        JobQueue(broker.url) as queue,
        JobQueue(broker.url, secret=SECRET) as signing,
        asyncio.Runner() as runner,
    ):
        contending = contenders(broker, port, queue, signing, runner)
        rates = measure(contending, options.puts, options.rounds)
    for name, found in rates.items():
        print(f"{name:28} {statistics.median(found):9,.0f} puts/s")
    print()
    ratio("put", "greenstalk, one connection", rates)
    ratio("put_many", "bare socket, 500 a write", rates)
    ratio("put", "a connection for each put", rates)
    for together in TOGETHER:
        ratio(f"aput, {together} at a time", "put", rates)
    ratio("put, signed", "put", rates)
    ratio("put_many, signed", "put_many", rates)


def contenders(
    broker: Beanstalkd,
    port: int,
    queue: JobQueue,
    signing: JobQueue,
    runner: asyncio.Runner,
) -> dict[str, Callable[[int], object]]:
    """Return the contenders by name: functions that put a number of jobs."""

    @queue.task("bench")
    def task_one(arg1: str, arg2: str, arg3: str) -> None: ...

    signed = signing.task("signed")(task_one.__wrapped__)

    def put(count: int) -> None:
        for _ in range(count):
            task_one.put(arg1="a", arg2="b", arg3="c")

    def aput(together: int) -> Callable[[int], None]:
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

    def greenstalk_put(count: int) -> None:
        with broker.client("bench") as client:
            for _ in range(count):
                client.put(BODY)

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
            with broker.client("bench") as client:
                client.put(BODY)

    return {
        "put": put,
        **{f"aput, {together} at a time": aput(together) for together in TOGETHER},
        "put, signed": put_signed,
        "greenstalk, one connection": greenstalk_put,
        "a connection for each put": connection_per_put,
        "put_many": put_many,
        "put_many, signed": put_many_signed,
        "bare socket, 500 a write": bare_socket,
    }


def measure(
    contenders: dict[str, Callable[[int], object]], puts: int, rounds: int
) -> dict[str, list[float]]:
    """Return each contender's rates, one a round."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender(BATCH)  # warm up
    for _ in range(rounds):
        for name, contender in contenders.items():
            started = time.perf_counter()
            contender(puts)
            rates[name].append(puts / (time.perf_counter() - started))
    return rates


def ratio(name: str, base: str, rates: dict[str, list[float]]) -> None:
    """Print how one rate relates to another, round by round."""
    ratios = [a / b for a, b in zip(rates[name], rates[base], strict=True)]
    print(
        f"{name} / {base}: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
