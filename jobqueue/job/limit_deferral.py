"""A time limit that passes inside of jobqueue: it strikes at the end of the call.

Apart from ``context.py``, so that a producer need not import that.
"""

from contextvars import ContextVar
from typing import Protocol


class Deferring(Protocol):
    """A time limit of the running code, which is not raised inside of jobqueue."""

    def give_way(self) -> None:
        """Raise TimeLimitExceeded if the limit has passed and was put off until now."""
        ...


deferring_var: ContextVar[Deferring] = ContextVar("jobqueue_time_limit")


def give_way_to_limit() -> None:
    """Raise TimeLimitExceeded if the running job's limit was put off until now.

    For the end of what a task calls of jobqueue. Code that runs in no job, or in one
    without a time limit, goes on.
    """
    deferring = deferring_var.get(None)
    if deferring is not None:
        deferring.give_way()
