"""Burying the jobs that an import has put, so that none of them runs.

beanstalkd buries only a reserved job, and makes a reserved job ready when its
connection ends. So a job to be buried is put with a delay of a hundred years. Then its
``reserve-job`` and its ``bury`` are sent in one small write, which arrives whole or not
at all, and the next job has to wait for both replies. Another process keeps the
connection open for the replies if this one is killed meanwhile: else the broker could
not write the first reply, and would end the connection between the two commands.
"""

import os
import random
from collections.abc import Iterable, Iterator

from jobqueue.admin.commands.connection_keeper import ConnectionKeeper
from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobState
from jobqueue.errors import BrokerError

_HUNDRED_YEARS = 100 * 365 * 86_400  # seconds
_VARIATIONS = 2**29  # of that delay
_REACH = 10  # ids to ask about, for each job whose id is not known
_LEAST_REACH = 1_000  # ids


class Burials:
    """Buries jobs on a connection, and on another one if that is lost.

    ``delay`` is for the put of each such job, in seconds. No other import has the same.
    """

    def __init__(self, connection: OperatorConnection) -> None:
        self.connection = connection
        self._keeper: ConnectionKeeper | None = None
        self._is_burying = False  # a reply is still to come
        self.delay = _HUNDRED_YEARS + random.randrange(_VARIATIONS)  # noqa: S311

    def bury(self, jobs: Iterable[tuple[int, int]]) -> Iterator[None]:
        """Bury jobs, each given by its id and a priority; yield after each.

        A job that is gone already is no reason to stop. Raises
        :class:`~jobqueue.errors.BrokerError`.
        """
        for job_id, priority in jobs:
            try:
                self._bury(job_id, priority)
            except BrokerError as lost:
                self._bury_again(job_id, priority, lost)
            yield

    def find(self, tube: str, after: int, count: int) -> list[int]:
        """Return the ids of jobs that were put, but whose replies were lost.

        These follow the id ``after``, and are up to ``count``. Returns none if the
        broker is away.
        """
        ids = range(after + 1, after + 1 + max(_REACH * count, _LEAST_REACH))
        try:
            self._reconnect()
            jobs = self.connection.jobs_of(tube, ids[: MAX_JOB_ID - after])
        except BrokerError:
            return []
        is_own = (JobState.DELAYED, self.delay)
        return [job.id for job in jobs if (job.state, job.delay) == is_own][:count]

    def close(self) -> None:
        """Close the connection."""
        self._end_keeper()
        self.connection.close()

    def _bury(self, job_id: int, priority: int) -> None:
        if self._keeper is None and self.connection.is_open and os.name == "posix":
            self._keeper = ConnectionKeeper(self.connection.fileno())
        self._is_burying = True
        self.connection.bury(job_id, priority)
        self._is_burying = False

    def _bury_again(self, job_id: int, priority: int, lost: BrokerError) -> None:
        """Bury a job, unless it was buried before the connection was lost."""
        self._reconnect()
        (stats,) = self.connection.jobs([job_id])
        if stats is None or stats.state is JobState.BURIED:
            return
        if stats.state is JobState.RESERVED:
            raise lost
        self._bury(job_id, priority)

    def _reconnect(self) -> None:
        self.close()
        self.connection = OperatorConnection(self.connection.address)

    def _end_keeper(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.end(is_idle=not self._is_burying)
        self._is_burying = False
