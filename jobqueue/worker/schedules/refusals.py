"""What a broker refuses: it drains, or has no room."""

from collections.abc import Callable

from jobqueue.errors import (
    BrokerDrainingError,
    BrokerOutOfMemoryError,
    JobTooBigError,
)
from jobqueue.worker.reporting import schedule_log

REFUSALS = BrokerDrainingError, BrokerOutOfMemoryError, JobTooBigError


class Refusals:
    """Remembers since when a broker takes no jobs, and logs once why."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._why = ""
        self._since: float | None = None

    @property
    def kept_until(self) -> float:
        """The Unix time up to which no due time is left to do: now, but for refusals.

        A draining broker is about to be restarted, and is empty then if it has no
        binlog.
        """
        return self._clock() if self._since is None else self._since

    def add(self, name: str, error: Exception, kept_until: float) -> None:
        """Take note that a job or the tick of a schedule was refused.

        ``kept_until`` is the Unix time up to which the schedule was kept.
        """
        if self._why != str(error):
            self._why = str(error)
            schedule_log.refused(name, self._why)
        self._since = min(self.kept_until, kept_until)

    def clear(self) -> None:
        """Take note that the broker has taken something."""
        self._why, self._since = "", None
