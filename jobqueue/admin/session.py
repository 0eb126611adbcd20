"""What each command is given: the broker and the console; and how it fails."""

import argparse
from dataclasses import dataclass
from functools import cached_property

from jobqueue.admin.screen.console import Console
from jobqueue.admin.screen.interrupts import Interrupts
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import TubeStats
from jobqueue.errors import JobQueueError


class CommandError(JobQueueError):
    """A command can't do what it was asked: what it names is not there, say."""


class UsageError(JobQueueError):
    """A command line that makes no sense."""


@dataclass
class Session:
    """One run of the command line."""

    options: argparse.Namespace
    address: Address
    console: Console
    interrupts: Interrupts

    @cached_property
    def operator(self) -> OperatorConnection:
        """The connection to the broker, made when it is needed first."""
        return OperatorConnection(self.address)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if "operator" in self.__dict__:
            self.operator.close()

    def tube(self, name: str) -> TubeStats:
        """Return what is counted of a tube. Raises :class:`CommandError`."""
        tube = self.operator.tube(name)
        if tube is None:
            raise no_tube(self.address, name)
        return tube


def no_tube(address: Address, name: str) -> CommandError:
    """Return the error that says there is no such tube."""
    return CommandError(
        f"beanstalkd at {address} has no tube {name!r}: a tube is there only while it "
        "has jobs, or someone uses or watches it"
    )
