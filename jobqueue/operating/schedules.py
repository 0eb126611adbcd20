"""ScheduleRecord: the schedule of a periodic task, as its tick says it."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from jobqueue.broker.operating import FoundJob, OperatorConnection
from jobqueue.broker.stats import JobState
from jobqueue.errors import OptionError
from jobqueue.job.note_tubes import SCHEDULES, is_tick_tube, tick_tube
from jobqueue.schedule.tick import Tick, decode_tick, is_signed

_PATIENCE = 1.5  # seconds: a worker holds a tick for less than one
_PAUSE = 0.05  # seconds
_STATES = JobState.DELAYED, JobState.READY, JobState.BURIED


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRecord:
    """The schedule of a periodic task. Its texts may be hostile: escape them.

    ``definition`` is what its code said last, as in ``every 300 s``. ``last_put`` is
    when a job was put last, and ``last_job`` its id; both are None if there was none.
    ``workers`` is how many worker processes have the task: if there is none, nobody
    puts its jobs. A schedule whose task was renamed or removed is left without.
    """

    id: int  # of its tick
    tube: str
    func_name: str
    definition: str
    next_due: datetime  # in UTC
    last_put: datetime | None
    last_job: int | None
    workers: int
    priority: int  # of its jobs
    ttr: int
    signed: bool = False  # its jobs have to be

    @property
    def name(self) -> str:
        """The name of the schedule, as in ``reports/nightly``."""
        return f"{self.tube}/{self.func_name}"

    @property
    def due_in(self) -> int:
        """How many seconds there are until it is due; below 0 if it is late."""
        return round((self.next_due - datetime.now(UTC)).total_seconds())

    @property
    def late(self) -> int:
        """For how many seconds it has been due; 0: it is not due yet."""
        return max(0, -self.due_in)

    def as_dict(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        values = asdict(self) | {
            "name": self.name,
            "next_due": self.next_due.isoformat(),
            "late": self.late,
            "last_put": self.last_put.isoformat("T", "seconds")
            if self.last_put
            else None,
        }
        return {key: values[key] for key in ("name", *values) if key in values}


def read_schedules(connection: OperatorConnection) -> list[ScheduleRecord]:
    """Return all schedules, in the order in which they are due.

    What is no tick is left out. One that a worker holds can't be read: it is waited
    for.
    """
    deadline = time.monotonic() + _PATIENCE
    tubes = [name for name in connection.tubes() if is_tick_tube(name)]
    records: list[ScheduleRecord] = []
    while tubes:
        counts = [tube for tube in connection.tube_stats(tubes) if tube]
        workers = {tube.tube: tube.watching for tube in counts}
        found = _first_of(connection, workers)
        records += [
            _record(job, tick, workers[tube])
            for tube, job in found.items()
            if (tick := decode_tick(job.body)) and tick.tick_tube == tube
        ]
        held = {tube.tube for tube in counts if tube.reserved}
        tubes = [tube for tube in tubes if tube in held and tube not in found]
        if time.monotonic() > deadline:
            break
        if tubes:
            time.sleep(_PAUSE)
    return sorted(records, key=lambda record: (record.next_due, record.name))


def held_by_workers(
    connection: OperatorConnection, records: Iterable[ScheduleRecord]
) -> list[str]:
    """Return the names of schedules that are none of these, as a worker holds them."""
    read = {tick_tube(record.tube, record.func_name) for record in records}
    tubes = [name for name in connection.tubes() if is_tick_tube(name)]
    return [
        counts.tube.removeprefix(SCHEDULES)
        for counts in connection.tube_stats(tubes)
        if counts and counts.reserved and counts.tube not in read
    ]


def named(records: Iterable[ScheduleRecord], name: str) -> ScheduleRecord | None:
    """Return the schedule of a name: ``tube/function``, or the function alone.

    Raises :class:`~jobqueue.errors.OptionError` if several tubes have the function.
    """
    found = [record for record in records if name in {record.name, record.func_name}]
    names = sorted({record.name for record in found})
    if len(names) > 1:
        raise OptionError(
            f"{name!r} is in several tubes: give one of {', '.join(names)}"
        )
    return found[0] if found else None


def _first_of(
    connection: OperatorConnection, tubes: Iterable[str]
) -> dict[str, FoundJob]:
    found: dict[str, FoundJob] = {}
    for state in _STATES:
        left = [tube for tube in tubes if tube not in found]
        firsts = zip(left, connection.first_jobs(left, state), strict=True)
        found |= {tube: job for tube, job in firsts if job is not None}
    return found


def _record(job: FoundJob, tick: Tick, workers: int) -> ScheduleRecord:
    return ScheduleRecord(
        id=job.id,
        tube=tick.tube,
        func_name=tick.func_name,
        definition=tick.definition,
        next_due=datetime.fromtimestamp(tick.due, UTC),
        last_put=datetime.fromtimestamp(tick.last_put, UTC) if tick.last_put else None,
        last_job=tick.last_job or None,
        workers=workers,
        priority=tick.priority,
        ttr=tick.ttr,
        signed=is_signed(job.body),
    )
