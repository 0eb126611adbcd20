"""What the broker can be told of a reserved job, as values."""

from typing import NamedTuple


class Deleted(NamedTuple):
    """The job is gone: it is done, or it failed once too often."""


class Released(NamedTuple):
    """The job is to be tried again, with the priority it had, after so many seconds."""

    priority: int
    delay: int


class Buried(NamedTuple):
    """The job is set aside, with the priority it had, until an operator kicks it."""

    priority: int


Outcome = Deleted | Released | Buried

DONE = Deleted()
