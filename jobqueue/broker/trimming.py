"""A connection that deletes the first jobs of a tube which holds too many."""

from jobqueue.broker.consuming import ConsumerConnection, reserve_command
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.replies import reserved_of
from jobqueue.broker.settlement import SidePut

_MOST = 500  # jobs that are reserved at a time


class TrimmingConnection(OperatorConnection, ConsumerConnection):
    """A connection that deletes the first jobs of a tube which holds too many.

    Several may trim one tube at once, and none deletes a job too many: what each of
    them has reserved is not ready for the others. When the connection ends, jobs that
    it has reserved and not deleted are ready again, as they were.
    """

    def trim(self, tube: str, kept: int) -> int:
        """Delete the first ready jobs of a tube, all but ``kept``.

        Returns how many are left; more than ``kept`` if another connection is at it,
        too. A connection trims one tube, and only once.
        """
        self.watch_only([tube])
        while (left := self._ready(tube)) > kept:
            count = min(left - kept, _MOST)
            ids = self._reserve_many(count)
            # Another one may have reserved some in the meantime.
            surplus = kept - self._ready(tube)
            ids = ids[: len(ids) - max(0, surplus)]
            deleted = sum(self.delete_jobs(ids))
            if surplus > 0:
                return left - deleted
            if not deleted:  # the tube is paused
                return kept
            if count < _MOST:  # not one by one what comes in the meantime
                return left - deleted
        return left

    def put_beside(self, side_put: SidePut) -> int:
        """Put a job that has no settlement to go with."""
        options = PutOptions(priority=side_put.priority)
        return self.put(side_put.tube, side_put.body, options)

    def delete_same(self, job_id: int, body: bytes) -> bool:
        """Delete a job, if it has this body: an id may recur after a restart."""
        (found,) = self.bodies([job_id])
        return found == body and all(self.delete_jobs([job_id]))

    def _ready(self, tube: str) -> int:
        stats = self.tube(tube)
        return 0 if stats is None else stats.ready

    def _reserve_many(self, count: int) -> list[int]:
        """Reserve jobs, the first first, and return their ids."""
        replies = self.ask_many([reserve_command(0)] * count, self._read_reserved)
        return [job_id for job_id in replies if job_id is not None]

    def _read_reserved(self) -> int | None:
        reserved = reserved_of(self._reader.readline())
        if reserved is None:
            return None
        job_id, size = reserved
        self._reader.skip_body(size)
        return job_id
