"""The worker's logger, and what keeps its lines from failing."""

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import ParamSpec

P = ParamSpec("P")

JOBS_SHOWN = 10  # in one line

logger = logging.getLogger("jobqueue.worker")


def unfailing(say: Callable[P, None]) -> Callable[P, None]:
    """Make a function log an error of its own instead of raising it.

    A line that can't be logged must not end the worker: showing a task's exception may
    raise, a handler may be broken, and a task may have closed the stream.
    """

    @functools.wraps(say)
    def say_or_go_on(*args: P.args, **kwargs: P.kwargs) -> None:
        switch_on_log()
        try:
            say(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - anything: see above
            say_what_failed(error, args)

    return say_or_go_on


def switch_on_log() -> None:
    """Enable the worker's logger again, if a task or its module has disabled it.

    ``dictConfig`` and ``fileConfig`` disable all loggers that they don't name.
    """
    logger.disabled = False


def say_what_failed(error: BaseException, args: Iterable[object]) -> None:
    """Log that a line could not be logged, and the ids of the jobs it is about."""
    with suppress(BaseException):
        logger.error(
            "A line could not be logged (%s): %s",
            type(error).__name__,
            [getattr(arg, "id", None) for arg in args],
        )


def list_jobs(ids: Sequence[int]) -> str:
    """Return the first of these jobs, and how many more there are."""
    shown = ", ".join(f"job {job_id}" for job_id in ids[:JOBS_SHOWN])
    more = len(ids) - JOBS_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
