"""The outcomes of a reserved job that a worker can tell the broker, as values."""

from typing import NamedTuple


class Deleted(NamedTuple):
    """The job is deleted: it succeeded, or it failed once too often."""


class Released(NamedTuple):
    """The job is tried again after ``delay`` seconds, at the priority it had."""

    priority: int
    delay: int


class Buried(NamedTuple):
    """The job is set aside, at the priority it had, until an operator kicks it."""

    priority: int


Outcome = Deleted | Released | Buried

DONE = Deleted()
