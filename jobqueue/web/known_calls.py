"""KnownCalls: the calls of jobs that failed, each read once: a body does not change."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime

from jobqueue.broker.stats import JobStats
from jobqueue.job.note import FailureNote
from jobqueue.operating.operator import Operator
from jobqueue.web.wording import call_of

_MOST = 2_000  # calls that are remembered

# Ids begin anew with a broker, so a job is known by when it failed, too.
_Key = tuple[int, datetime]


class KnownCalls:
    """Reads the calls of jobs for any number of threads, and remembers them."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._lock = threading.Lock()
        self._calls: OrderedDict[_Key, str] = OrderedDict()

    def of(
        self, notes: Sequence[FailureNote], jobs: Mapping[int, JobStats | None]
    ) -> dict[int, str]:
        """Return the calls by the jobs' ids, but for jobs that were gone at once."""
        with self._lock:
            new = [
                (note.job_id, note.when)
                for note in notes
                if (note.job_id, note.when) not in self._calls and jobs[note.job_id]
            ]
        records = self._operator.job_records(*(job_id for job_id, _ in new))
        with self._lock:
            for key, record in zip(new, records, strict=True):
                if record is not None:
                    self._calls[key] = call_of(record, hide_arguments=False)
            found = {
                note.job_id: call
                for note in notes
                if (call := self._calls.get((note.job_id, note.when)))
            }
            while len(self._calls) > _MOST:
                self._calls.popitem(last=False)
        return found
