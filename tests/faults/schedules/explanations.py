"""What explains that a due time was put again, or not at all."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from jobqueue.schedule.decision import CLOCKS_DIFFER, EACH_FOR

from .due_times import RECOVERY, notices_within
from .runs import Run
from .timeline import Fault, Jump, Timeline

LATE = 4  # seconds by which a machine with too much to do puts a job late
TTR = 8  # seconds of a tick
SOON = 3  # seconds in which another worker takes a tick that has come back, and puts
CLOCK_FORWARD = "clock forward"
FREEZE = "freeze"
FORGOTTEN = "freeze with a tick whose ttr beanstalkd forgot"
STALL = "stall of the machine"
OUTAGES = {"long restart", "no worker", "restart of the broker", STALL}
CUTS = {
    # Faults in which a worker may have put a job, and not said so in the tick; and the
    # seconds after each until another worker has put it again.
    "kill of a process": SOON,
    "kill of a worker": SOON,
    "restart of the broker": RECOVERY,
    "long restart": RECOVERY,
    FREEZE: SOON,  # if it lasts as long as the ttr: see _cuts()
    STALL: SOON,
}
_LAST_FEW = 3  # jobs, of which several workers may run one before another
_STEP = 0.5  # seconds that a step of the clock may be seen later than it was noted


class _Cause(NamedTuple):
    """What explains a gap that begins in a time; ``back`` is when it has to end."""

    name: str
    begin: float
    end: float
    back: float


class Explanations:
    """Tells why due times of one schedule were put again, or skipped. ``runs`` are its.

    - A due time may be put again if a worker or the broker was cut off in the middle,
      or if the clock was set back by more than a minute between both jobs: then what
      was put last lies too far in the future to be believed.
    - Due times may be skipped if there was an outage, or the clock jumped over them,
      or a worker froze with the tick and beanstalkd gave it to no other: up to 1.13, it
      may forget the end of a ttr. But then the one after them has to be put when
      workers are back, and the first that was skipped has to be more than ten seconds
      ago: else each is put.
    """

    def __init__(self, timeline: Timeline, name: str, runs: list[Run]) -> None:
        self._timeline = timeline
        self._name = name
        self._runs = runs
        outages = [
            _Cause(fault.name, fault.begin - LATE, back, back)
            for fault in timeline.faults
            if fault.name in OUTAGES
            for back in [fault.end + RECOVERY]
        ]
        jumps = [
            _Cause(CLOCK_FORWARD, jump.at - 1, jump.at, jump.at + notices_within(name))
            for jump in timeline.jumps
            if jump.after > jump.before
        ]
        forgotten = [
            _Cause(FORGOTTEN, fault.begin - 1, fault.end, fault.end + SOON)
            for fault in timeline.faults
            if fault.name == FREEZE and _cuts(fault)
        ]
        causes = [*outages, *jumps, *forgotten]
        self._causes = sorted(causes, key=lambda cause: cause.begin)
        self.resets = [jump for jump in timeline.jumps if self._is_reset(jump)]

    def of_another(self, before: Run, run: Run) -> str | None:
        """Return why there are two jobs of a due time, one after the other."""
        for jump in self._timeline.jumps:
            if jump in self.resets and before.at - _STEP <= jump.at <= run.at:
                return "clock back"
            if self._ends_ttr(jump) and 0 <= run.at - jump.at + _STEP <= SOON:
                return CLOCK_FORWARD
        near = (
            fault.name
            for fault in reversed(self._timeline.faults)
            if _cuts(fault)
            and fault.begin - 1 <= run.at <= fault.end + CUTS[fault.name]
        )
        return next(near, None)

    def of_missed(self, earlier: Sequence[int], first: int, last: int) -> str | None:
        """Return why the due times from one to another were skipped.

        ``earlier`` are those before: some of the same gap may have been put before the
        clock was set back, or after.
        """
        timeline, passed = self._timeline, self._timeline.passed(first)
        past = [jump for jump in self.resets if jump.at < passed]
        since, shown = (past[-1].at, past[-1].after) if past else (-inf, -inf)
        until = min((jump.at for jump in self.resets if jump.at > passed), default=inf)
        put = {run.due for run in self._runs if since < run.at < until}
        for due in reversed(earlier):
            if due in put or due <= shown:
                break
            first, passed = due, timeline.passed(due, since)
        follower = next(
            (run for run in self._runs if run.at > passed and run.due > last), None
        )
        if follower is None:
            return None
        if timeline.highest(follower.at, passed) - first <= EACH_FOR:
            return None
        for cause in reversed(self._causes):
            if cause.begin <= passed <= cause.end and follower.at <= self._back(cause):
                return cause.name
        return None

    def _back(self, cause: _Cause) -> float:
        """Return when workers have to be back, also if causes follow each other."""
        back = cause.back
        for other in self._causes:
            if cause.begin <= other.begin <= back:
                back = max(back, other.back)
        return back

    def _ends_ttr(self, jump: Jump) -> bool:
        """Return whether a step makes the broker give a held tick to another worker."""
        return self._timeline.is_one_machine and jump.after - jump.before > TTR

    def _is_reset(self, jump: Jump) -> bool:
        """Return whether the last job lies so far in the future that it counts no more.

        As long as a tick, which says so, is not handed out, further steps add up.
        """
        last = [run.due for run in self._runs if run.at < jump.at + _STEP][-_LAST_FEW:]
        return max(last, default=0) > jump.after - _STEP + CLOCKS_DIFFER


def _cuts(fault: Fault) -> bool:
    """Return whether a worker may be cut off between two steps: see CUTS."""
    return fault.name in CUTS and (
        fault.name != FREEZE or fault.end - fault.begin > TTR - 1
    )
