"""One run of the command line: its options, its connection and its output."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from jobqueue.admin.errors import CommandError
from jobqueue.admin.screen.console import Console
from jobqueue.admin.screen.interrupts import Interrupts
from jobqueue.broker.address import Address
from jobqueue.broker.checks import check_tube
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState
from jobqueue.operating.filters import Filters, check_states
from jobqueue.operating.finder import Finder
from jobqueue.operating.operator import Operator


@dataclass
class Session:
    """The one argument of every command."""

    options: argparse.Namespace
    address: Address
    console: Console
    interrupts: Interrupts

    @cached_property
    def operator(self) -> Operator:
        """What looks at jobs and changes them; signals wait until a step is done."""
        operator = Operator(self.options.url)
        operator.uninterrupted = self.interrupts
        return operator

    @cached_property
    def connection(self) -> OperatorConnection:
        """A connection to the broker for puts, made at its first use."""
        return OperatorConnection(self.address)

    def close(self) -> None:
        """Close the connections, if there are any."""
        for connected in ("connection", "operator"):
            if connected in self.__dict__:
                getattr(self, connected).close()

    def tube(self) -> TubeStats:
        """Return the counts of the tube that the command line names.

        Raises :class:`~jobqueue.admin.errors.CommandError` if there is no such tube.
        """
        name = check_tube(self.options.tube)
        tube = self.operator.tube(name)
        if tube is None:
            raise self.no_tube(name)
        return tube

    def states(self) -> list[JobState]:
        """Return the states that the command line names, or all."""
        return check_states(tuple(self.options.states))

    @property
    def has_filters(self) -> bool:
        """Whether the command line says what the jobs have."""
        return any(value is not None for value in self.filters())

    def filters(self) -> Filters:
        """Return what the jobs have to have that the command line means."""
        options = self.options
        since = None if options.since is None else datetime.now(UTC) - options.since
        return Filters(options.func, options.containing, options.error, since)

    def named_tubes(self) -> list[str]:
        """Return the tube that the command line names, or the names of all tubes."""
        if self.options.tube:
            return [self.tube().tube]
        return [tube.tube for tube in self.operator.tubes()]

    @contextmanager
    def finding(self) -> Iterator[Finder]:
        """Yield what finds the jobs that the command line names."""
        tube = self.tube().tube
        with self.operator.finding(tube, self.states(), self.filters()) as finder:
            if finder is None:
                raise self.no_tube(tube)
            yield finder

    def say_without_note(self, buried: int) -> None:
        """Say of how many buried jobs there is no note, if there are any."""
        if buried:
            jobs_have = (
                "1 buried job has" if buried == 1 else f"{buried:,} buried jobs have"
            )
            self.console.note(
                f"Left out: {jobs_have} no note of why. Workers keep notes of a tube's "
                "last failures only (--failures-kept)"
            )

    def no_tube(self, name: str) -> CommandError:
        """Return the error that there is no such tube."""
        return CommandError(
            f"beanstalkd at {self.address} has no tube {name!r}: a tube exists only "
            "while it has jobs, or while a client uses or watches it"
        )
