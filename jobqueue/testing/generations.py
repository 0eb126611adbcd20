"""Generations: which job has put which, so that jobs without end are noticed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jobqueue.broker.put_options import PutOptions
from jobqueue.errors import EndlessJobsError

if TYPE_CHECKING:
    from jobqueue.broker.redirection import Destination

LONGEST = 1_000  # generations


class Generations:
    """A destination of puts that counts a job's generation, and passes the put on.

    A job that the test has put is of the first generation, those that it puts are of
    the second, and so on.
    """

    def __init__(self, destination: "Destination") -> None:
        self._destination = destination
        self._generations: dict[int, int] = {}  # of a job's id
        self._running: str | None = None  # the function of the job that runs
        self._generation = 0  # of that job

    def begin(self, job_id: int, func_name: str) -> None:
        """Note which job runs from now on."""
        self._running = func_name
        self._generation = self._generations.get(job_id, 1)

    def end(self) -> None:
        """Note that no job runs."""
        self._running = None
        self._generation = 0

    def put(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job. Raises EndlessJobsError for one of too late a generation."""
        self._check()
        return self._noted(self._destination.put(tube, body, options))

    async def aput(self, tube: str, body: bytes, options: PutOptions) -> int:
        """Put a job like :meth:`put`, without blocking the running event loop."""
        self._check()
        return self._noted(await self._destination.aput(tube, body, options))

    def put_many(
        self, tube: str, bodies: Iterable[bytes], options: PutOptions
    ) -> list[int]:
        """Put many jobs like :meth:`put`."""
        self._check()
        return list(map(self._noted, self._destination.put_many(tube, bodies, options)))

    def _check(self) -> None:
        if self._generation >= LONGEST:
            raise EndlessJobsError(
                f"{self._running}() has put a job, that one another, and so on: "
                f"{LONGEST:,} jobs one after the other, which run_jobs would run "
                "without end. Put it with a delay: run_jobs leaves such a job"
            )

    def _noted(self, job_id: int) -> int:
        self._generations[job_id] = self._generation + 1
        return job_id
