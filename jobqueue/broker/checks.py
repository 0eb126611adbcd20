"""Checks of values before they are sent: tube names, numbers, delays, job ids."""

import math
import re
from datetime import timedelta

from jobqueue.errors import OptionError, TubeNameError

MAX_JOB_ID = 2**64 - 1
MAX_NUMBER = 2**32 - 1  # the largest priority, delay and ttr (protocol.txt, "put")

_TUBE_NAME = re.compile(r"[A-Za-z0-9+/;.$_()][A-Za-z0-9\-+/;.$_()]{0,199}")

Delay = float | timedelta  # float stands for int as well


def whole_seconds(name: str, delay: object) -> int:
    """Return a delay in whole seconds, rounded up.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if (
        isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and 0 <= seconds <= MAX_NUMBER
    ):
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
        return name
    raise TubeNameError(
        f"{name!r} is not a tube name: use 1 to 200 letters, digits and -+/;.$_(), "
        "not starting with -"
    )


def whole_number(name: str, value: object, *, least: int = 0) -> int:
    """Return the number, if beanstalkd takes it.

    beanstalkd answers BAD_FORMAT to a ``put`` with a number out of range, and then
    reads the job's body as commands. Raises :class:`~jobqueue.errors.OptionError`.
    """
    if type(value) is int and least <= value <= MAX_NUMBER:
        return value
    raise OptionError(
        f"{name} has to be a whole number from {least} to {MAX_NUMBER}, not {value!r}"
    )


def check_id(job_id: int) -> int:
    """Return the id of a job, if beanstalkd can have given it.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    if 0 < job_id <= MAX_JOB_ID:
        return job_id
    raise OptionError(f"a job's id has to be from 1 to {MAX_JOB_ID}, not {job_id}")
