"""Tasks that run well, and one that ends its process."""

import ctypes
import os
import signal
import time

from jobqueue import JobQueue

queue = JobQueue()


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


@queue.task("t")
def good(n: int) -> None:
    say("good", n)


@queue.task("t")
def slow(n: int) -> None:
    time.sleep(2)  # longer than a process takes to start, and jobs to come back


@queue.task("t")
def bad(how: str) -> None:
    time.sleep(0.2)  # so that the jobs beside it have begun, too
    say("bad")
    if how == "exit":
        os._exit(9)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    ctypes.string_at(0)
