"""One run of the command line: its options, its connection and its output."""

import argparse
from dataclasses import dataclass
from functools import cached_property

from jobqueue.admin.errors import CommandError
from jobqueue.admin.screen.console import Console
from jobqueue.admin.screen.interrupts import Interrupts
from jobqueue.admin.search import Search
from jobqueue.broker.address import Address
from jobqueue.broker.checks import check_tube
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState


@dataclass
class Session:
    """The one argument of every command."""

    options: argparse.Namespace
    address: Address
    console: Console
    interrupts: Interrupts

    @cached_property
    def connection(self) -> OperatorConnection:
        """The connection to the broker, made at its first use."""
        return OperatorConnection(self.address)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if "connection" in self.__dict__:
            self.connection.close()

    def tube(self) -> TubeStats:
        """Return the counts of the tube that the command line names.

        Raises :class:`~jobqueue.admin.errors.CommandError` if there is no such tube.
        """
        name = check_tube(self.options.tube)
        tube = self.connection.tube(name)
        if tube is None:
            raise self.no_tube(name)
        return tube

    def states(self) -> list[JobState]:
        """Return the states that the command line names, or all."""
        return [JobState(name) for name in self.options.states] or list(JobState)

    def search(self) -> Search:
        """Return a search for the jobs that the command line names."""
        return Search(self.connection, self.tube(), self.states())

    def no_tube(self, name: str) -> CommandError:
        """Return the error that there is no such tube."""
        return CommandError(
            f"beanstalkd at {self.address} has no tube {name!r}: a tube exists only "
            "while it has jobs, or while a client uses or watches it"
        )
