"""Changes: what was asked for on the page, how far it is, and what came of it.

Each is logged, with who asked for it and with the ids of the jobs.
"""

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jobqueue.errors import BrokerError, BrokerUnreachableError, JobQueueError
from jobqueue.operating.formatting import number_of
from jobqueue.safe_text import one_line

logger = logging.getLogger("jobqueue.web")

CHUNK = 100  # jobs that are changed in one step, by their ids
_MOST_RUNNING = 4
_MOST_REMEMBERED = 200
_SILENT = "The broker does not answer"


class Back(NamedTuple):
    """The page to go back to."""

    path: str
    query: Mapping[str, str | None]


_FIRST_PAGE = Back("/", {})


def new_token() -> str:
    """Return what nobody can guess."""
    return secrets.token_urlsafe(9)


@dataclass(slots=True)
class Change:
    """One change: of one thing, or of many jobs, step by step."""

    doing: str  # as in "Kicking"
    done: str  # as in "Kicked"
    who: str
    where: str = ""  # as in "of tube 'emails'"
    total: int | None = None  # jobs
    count: int = 0  # jobs changed so far
    at_stake: Sequence[int] = ()  # ids of jobs that are being changed just now
    summary: str | None = None  # what came of it, where that is no number of jobs
    new_job: int | None = None  # the id of a job that was put
    problem: str | None = None
    is_over: bool = False
    is_late: bool = False  # the broker takes its time, and nobody waits any more
    form: Mapping[str, str] = field(default_factory=dict)  # to be corrected
    back: Back = _FIRST_PAGE
    token: str = field(default_factory=new_token)

    @property
    def text(self) -> str:
        """What to tell whoever asked for it."""
        if self.summary is not None:
            return self.summary
        if self.is_late and not self.is_over:
            return f"{_SILENT}: it is not known yet whether this was done"
        if not self.is_over and self.total is None:
            return self.doing
        if not self.is_over:
            return f"{self.doing} {self.count:,} of {self.total:,} jobs {self.where}"
        return f"{self.done} {number_of(self.count, 'job')} {self.where}".rstrip()

    @property
    def is_under_way(self) -> bool:
        """Whether jobs are being changed, so that a list of them would be wrong."""
        return bool(self.total) and not self.is_over

    @property
    def is_single(self) -> bool:
        """Whether this is done at once, or not at all."""
        return self.total is None or self.total == 1

    def stop(self, error: JobQueueError) -> None:
        """Note what has stopped this, and log what a lost broker leaves in doubt."""
        shown = one_line(self.who)
        jobs = "" if self.is_single else "jobs "
        what = f"{self.doing} {jobs}{self.where}"
        logger.error("%s, for %s: %s", what, shown, error)
        lost = error if isinstance(error, BrokerError) else None
        if isinstance(lost, BrokerUnreachableError):
            lost = None  # it was asked for nothing
        ids = (lost.in_doubt or self.at_stake) if lost else ()
        if ids or (lost and self.is_single):
            jobs = f"{number_of(len(ids), 'job')} " if ids else ""
            what = f"Not known whether {self.done.lower()}: {jobs}{self.where}"
            log(what, self.who, ids, logging.ERROR)
        self.problem = f"{self._known(len(ids), is_lost=lost is not None)}: {error}"

    def _known(self, in_doubt: int, *, is_lost: bool) -> str:
        """Return how far this came, and of how many jobs that is not known."""
        if self.is_single:
            done = "It is not known whether this was done"
            return done if is_lost else "Nothing was changed"
        known = f"It stopped after {number_of(self.count, 'job')}"
        if not in_doubt:
            return known
        were = "was" if in_doubt == 1 else "were"
        return (
            f"{known}. It is not known whether {number_of(in_doubt, 'more job')} "
            f"{were} {self.done.lower()} (the log has the ids)"
        )

    def step(self, ids: Sequence[int], was: Sequence[int] = ()) -> None:
        """Note that these jobs were changed. Those put again had other ids: ``was``.

        Raises JobQueueError after a step that the end of the process waits for.
        """
        if not ids:
            return
        self.count += len(ids)
        before = f", deleted as {', '.join(map(str, was))}" if was else ""
        jobs = f"{number_of(len(ids), 'job')} {self.where}{before}"
        log(f"{self.done} {jobs}", self.who, ids)
        if not threading.main_thread().is_alive():
            raise JobQueueError("the process of this page ends")


Steps = Callable[[Change], Iterable[object]]


class Changes:
    """The last changes, and the threads of those that take a while."""

    def __init__(self, expire: Callable[[], None]) -> None:
        self._expire = expire  # has the counts asked for anew
        self._lock = threading.Lock()
        self._changes: OrderedDict[str, Change] = OrderedDict()

    def get(self, token: str | None) -> Change | None:
        """Return a change by its token; None if it is not known, or no longer."""
        with self._lock:
            return self._changes.get(token or "")

    def begin(self, change: Change) -> bool:
        """Remember a change; False if there is one with its token.

        Then its form was sent twice, or was given up, and it is not to be made.
        """
        with self._lock:
            if change.token in self._changes:
                return False
            self._changes[change.token] = change
            self._forget_some()
            return True

    def make(self, change: Change, steps: Steps) -> None:
        """Make a change that has begun, at once.

        Raises :class:`~jobqueue.errors.JobQueueError` for what the broker was not
        asked, and remembers nothing of that.
        """
        try:
            for _ in steps(change):
                pass
        except BrokerError as error:
            change.stop(error)
        except Exception:
            with self._lock:
                self._changes.pop(change.token, None)
            raise
        finally:
            change.is_over = True
            self._expire()

    def give_up(self, change: Change) -> None:
        """Have a page wait no longer for a change, as the broker does not answer.

        One that has not begun by now never does.
        """
        change.problem = f"{_SILENT}: nothing was changed"
        change.is_over = True
        if not self.begin(change) and (begun := self.get(change.token)):
            begun.is_late = True

    def start(self, change: Change, steps: Steps) -> bool:
        """Make a change that has begun in a thread; False if too many run already."""
        with self._lock:
            running = sum(not other.is_over for other in self._changes.values())
            if running > _MOST_RUNNING:
                self._changes.pop(change.token, None)
                return False
        threading.Thread(
            target=self._run,
            args=(change, steps),
            name="jobqueue-web-change",
            daemon=False,  # the process ends after a step, which is logged, not in it
        ).start()
        return True

    def _run(self, change: Change, steps: Steps) -> None:
        try:
            for _ in steps(change):
                pass
        except JobQueueError as error:
            change.stop(error)
        except Exception:
            change.problem = "It stopped at an error, which is in the log"
            logger.exception("%s %s failed", change.doing, change.where)
        finally:
            change.is_over = True
            self._expire()

    def _forget_some(self) -> None:
        """Forget the oldest changes that are over, if there are too many."""
        over = [token for token, change in self._changes.items() if change.is_over]
        for token in over[: max(0, len(self._changes) - _MOST_REMEMBERED)]:
            del self._changes[token]


def in_chunks(
    ids: Sequence[int], make: Callable[[Change, Sequence[int]], None]
) -> Callable[[Change], Iterator[None]]:
    """Return the steps that change jobs by their ids."""

    def steps(change: Change) -> Iterator[None]:
        for start in range(0, len(ids), CHUNK):
            change.at_stake = ids[start : start + CHUNK]
            make(change, change.at_stake)
            change.at_stake = ()
            yield

    return steps


def by_ids(
    change_jobs: Callable[..., list[int]],
) -> Callable[[Change, Sequence[int]], None]:
    """Return a step that gives ids to a function, and gets those of changed jobs."""
    return lambda change, ids: change.step(change_jobs(*ids))


def log(
    what: str, who: str, ids: Sequence[int] = (), level: int = logging.INFO
) -> None:
    """Log a change, with who asked for it, and the ids of its jobs."""
    which = f": {', '.join(map(str, ids))}" if ids else ""
    shown = one_line(who)
    logger.log(
        level,
        "%s, for %s%s",
        what.strip(),
        shown,
        which,
        extra={"asked_by": shown, "job_ids": list(ids)},
    )
