"""The errors of the commands, beside those of the broker."""

from jobqueue.errors import JobQueueError


class CommandError(JobQueueError):
    """A command can't do what it was asked: for example, there is no such tube."""


class UsageError(JobQueueError):
    """The words of the command line don't fit together."""
