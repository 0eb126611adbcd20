"""Tasks that print, and tasks that meddle with their process."""

import sys
import threading
import time
from multiprocessing import get_context

from jobqueue import JobQueue

queue = JobQueue()


@queue.task("t")
def work(seconds: float = 0) -> None:
    print("started", seconds, flush=True)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.01)
    print("worked", flush=True)
    print("buffered")


@queue.task("t")
def leave_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(600,), name="left").start()


@queue.task("t")
def close_stderr() -> None:
    sys.stderr.close()


@queue.task("u")
def terminate_a_forked_child() -> None:
    fork = get_context("fork")
    is_up = fork.Event()  # CPython loses a signal to a child that is not up yet

    def wait() -> None:
        is_up.set()
        time.sleep(60)

    child = fork.Process(target=wait)
    child.start()
    is_up.wait()
    child.terminate()
    child.join()
    print("child ended with", child.exitcode, flush=True)
