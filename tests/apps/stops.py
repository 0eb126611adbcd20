"""A job of a millisecond, which says when it begins and when it ends."""

import os
import time

from jobqueue import JobQueue, current_job

queue = JobQueue()


@queue.task("t")
def work() -> None:
    _say("begins")
    time.sleep(0.001)
    _say("ends")


def _say(what: str) -> None:
    line = f"[{os.getpid()}] {what} {current_job().id}\n"
    os.write(2, line.encode())  # into the log, in order
