"""Tasks that make each kind of log line."""

import os
import warnings

from jobqueue import JobQueue

queue = JobQueue()


@queue.task("t")
def work(n: int = 0) -> None: ...


@queue.task("t")
def fail() -> None:
    raise ValueError("two\nlines, and more \u2028")


@queue.task("t", max_kicks=0)
def fail_for_good(secret: str) -> None:
    raise ValueError


@queue.task("t")
def warn() -> None:
    warnings.warn("take\ncare", stacklevel=1)


@queue.task("t", max_lost=1)
def die() -> None:
    os._exit(9)
