"""Tasks that end, crash, hang, or leave something behind."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from jobqueue import Bury, JobQueue

queue = JobQueue()
pool = ThreadPoolExecutor(2)


def say(*words: object) -> None:
    """Print a line in one write, so that lines of several threads do not mix."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


@queue.task("t")
def work(seconds: float = 0, n: int = 0) -> None:
    say("begins", n, "in", os.getpid())
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.01)
    say("ends", n)


@queue.task("t")
def print_to_buffer() -> None:
    print("printed")


@queue.task("t", max_lost=None)
def die(how: int) -> None:
    say("dies in", os.getpid())
    os.kill(os.getpid(), how)
    time.sleep(60)


@queue.task("t", max_lost=None)
def die_later() -> None:
    say("dies soon")
    time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)


class KillsWhenCollected:
    def __del__(
        self,
        kill: Callable[[int, int], None] = os.kill,
        pid: int = os.getpid(),
        signum: int = signal.SIGTERM,
    ) -> None:
        kill(pid, signum)


@queue.task("t")
def signal_at_the_very_end() -> None:
    sys.modules["late"] = KillsWhenCollected()  # type: ignore[assignment]


@queue.task("t")
def leave_thread(n: int) -> None:
    threading.Thread(target=time.sleep, args=(600,)).start()
    say("has left", n, "in", os.getpid())


@queue.task("t")
def use_pool() -> None:
    pool.submit(say, "in the pool").result()


@queue.task("limited", time_limit=0.5)
def spin() -> None:
    while True:
        pass


@queue.task("limited", time_limit=0.5)
def sleep() -> None:
    time.sleep(600)


@queue.task("limited", time_limit=0.5)
async def asleep() -> None:
    await asyncio.sleep(600)


@queue.task("limited", time_limit=0.5)
def swallow() -> None:
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass


@queue.task("limited", time_limit=0.5)
async def swallow_async() -> None:
    while True:
        try:
            await asyncio.sleep(0.01)
        except BaseException:
            pass


@queue.task("limited", time_limit=0.5)
async def block_the_loop() -> None:
    time.sleep(600)  # noqa: ASYNC251


@queue.task("limited", time_limit=0.5)
def in_c() -> None:
    ctypes.CDLL(None).sleep(600)


@queue.task("limited", time_limit=0.5)
def hold_the_interpreter() -> None:
    say("holds")
    ctypes.PyDLL(None).sleep(600)


@queue.task("t")
def run_program(seconds: float, verdict: bool = False) -> None:
    program = subprocess.Popen(["sleep", str(seconds)])
    say("runs", program.pid, "in", os.getpid())
    status = program.wait()
    if verdict:
        raise Bury("it has failed for good")
    if status:
        raise OSError(f"its program ended with status {status}")
    say("has run", seconds)
