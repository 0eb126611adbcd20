"""Checks of values before they are sent: tube names, numbers, delays, job ids."""

import math
import operator
import re
from datetime import timedelta

from jobqueue.errors import OptionError, TubeNameError

MAX_JOB_ID = 2**64 - 1
MAX_NUMBER = 2**32 - 1  # the largest priority, delay and ttr (protocol.txt, "put")

_TUBE_NAME = re.compile(r"[A-Za-z0-9+/;.$_()][A-Za-z0-9\-+/;.$_()]{0,199}")

Delay = float | timedelta  # float stands for int as well


def plain_number(value: object) -> float | None:
    """Return an int or a float for a number of any class; None for anything else.

    An IntEnum is the number that it is, and so are the numbers of numpy. A bool is not
    one, nor is what an int or float would not stand for exactly: fractions, decimals.
    """
    if type(value) is int or type(value) is float:
        return value
    if isinstance(value, bool):
        return None
    import numbers  # noqa: PLC0415 - few values come so far

    try:
        if isinstance(value, numbers.Integral):
            return operator.index(value)
        if isinstance(value, numbers.Real) and not isinstance(value, numbers.Rational):
            return float(value)
    except (TypeError, OverflowError):  # numpy's timedelta64 is Integral, and none
        pass
    return None


def seconds_between(least: float, value: object, most: float) -> float | None:
    """Return a number of seconds, if it is one in this range."""
    number = plain_number(value)
    return number if number is not None and least <= number <= most else None


def whole_seconds(name: str, delay: object) -> int:
    """Return a delay in whole seconds, rounded up.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    given = delay.total_seconds() if isinstance(delay, timedelta) else delay
    seconds = seconds_between(0, given, MAX_NUMBER)
    if seconds is not None:
        return math.ceil(seconds)
    raise OptionError(
        f"{name} has to be from 0 to {MAX_NUMBER} seconds, or a timedelta, "
        f"not {delay!r}"
    )


def check_tube(name: object) -> str:
    """Return the name of a tube, if beanstalkd takes it.

    A name is 1 to 200 bytes of letters, digits and ``-+/;.$_()``, and does not start
    with ``-`` (protocol.txt, "Names"). A line break in a name would start another
    command.

    Raises :class:`~jobqueue.errors.TubeNameError`.
    """
    if isinstance(name, str) and _TUBE_NAME.fullmatch(name):
        return str.__str__(name)  # of an Enum's member: not Tube.EMAILS, but its value
    raise TubeNameError(
        f"{name!r} is not a tube name: use 1 to 200 letters, digits and -+/;.$_(), "
        "not starting with -"
    )


def whole_number(
    name: str,
    value: object,
    *,
    least: int = 0,
    most: int | None = MAX_NUMBER,
    expected: str = "a whole number",
) -> int:
    """Return a whole number in this range as an int.

    beanstalkd answers BAD_FORMAT to a ``put`` with a number out of range, and then
    reads the job's body as commands. Raises :class:`~jobqueue.errors.OptionError`.
    """
    number = plain_number(value)
    if isinstance(number, int) and least <= number and (most is None or number <= most):
        return number
    limit = "" if most is None else f" to {most}"
    raise OptionError(f"{name} has to be {expected} from {least}{limit}, not {value!r}")


def check_id(job_id: object) -> int:
    """Return the id of a job, if beanstalkd can have given it.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    number = plain_number(job_id)
    if isinstance(number, int) and 0 < number <= MAX_JOB_ID:
        return number
    raise OptionError(f"a job's id has to be from 1 to {MAX_JOB_ID}, not {job_id!r}")
