"""The options of a task, checked before anything is put or run."""

from jobqueue.broker.checks import MAX_NUMBER
from jobqueue.errors import OptionError


def check_time_limit(value: object) -> float | None:
    """Return a time limit in seconds, or None for none, if it is one.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    if value is None or (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value <= MAX_NUMBER
    ):
        return value
    raise OptionError(
        f"time_limit has to be None or more than 0 seconds, not {value!r}"
    )
