"""Tasks that freeze, use up file descriptors, or fork processes that stay."""

import ctypes
import os
import subprocess
import time

from jobqueue import JobQueue

queue = JobQueue()
kept: list[int] = []


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


@queue.task("t")
def work(n: int = 0) -> None:
    say("ran", n, "in", os.getpid())


@queue.task("t", ttr=2, max_lost=None)
def freezes() -> None:
    say("begins in", os.getpid())
    time.sleep(0.5)


@queue.task("t")
def leaks() -> None:
    while True:
        kept.append(os.open("/dev/null", os.O_RDONLY))


@queue.task("t", max_lost=None)
def forks(how: str) -> None:
    if how == "subprocess":
        child = subprocess.Popen(["sleep", "600"], close_fds=False).pid
    else:
        child = ctypes.CDLL(None).fork()  # Python does not know of this one
        if child == 0:
            ctypes.CDLL(None).sleep(600)
    say("forked", child)
    time.sleep(600)
