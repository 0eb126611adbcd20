"""Changes: what was asked for on the page, how far it is, and what came of it.

Each is logged, with who asked for it and with the ids of the jobs.
"""

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from jobqueue.errors import JobQueueError
from jobqueue.operating.formatting import number_of
from jobqueue.safe_text import one_line

logger = logging.getLogger("jobqueue.web")

CHUNK = 100  # jobs that are changed in one step
_MOST_RUNNING = 4
_MOST_REMEMBERED = 200


@dataclass(slots=True)
class Change:
    """One change: of one thing, or of many jobs, step by step."""

    doing: str  # as in "Kicking"
    done: str  # as in "Kicked"
    who: str
    where: str = ""  # as in "of tube 'emails'"
    total: int | None = None  # jobs
    count: int = 0  # jobs changed so far
    summary: str | None = None  # what came of it, where that is no number of jobs
    problem: str | None = None
    is_over: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(9))

    @property
    def text(self) -> str:
        """What to tell whoever asked for it."""
        if self.summary is not None:
            return self.summary
        jobs = number_of(self.count, "job")
        if not self.is_over:
            of = "" if self.total is None else f" of {self.total:,}"
            return f"{self.doing} {self.count:,}{of} jobs {self.where}"
        return f"{self.done} {jobs} {self.where}".rstrip()

    def step(self, ids: Sequence[int]) -> None:
        """Note that these jobs were changed."""
        self.count += len(ids)
        log(f"{self.done} {number_of(len(ids), 'job')} {self.where}", self.who, ids)


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

    def note(self, change: Change) -> Change:
        """Remember a change that is over."""
        change.is_over = True
        self._add(change)
        self._expire()
        return change

    def start(
        self, change: Change, steps: Callable[[Change], Iterable[object]]
    ) -> bool:
        """Make the steps of a change in a thread; False if too many run already."""
        with self._lock:
            running = sum(not other.is_over for other in self._changes.values())
        if running >= _MOST_RUNNING:
            return False
        self._add(change)
        threading.Thread(
            target=self._run,
            args=(change, steps),
            name="jobqueue-web-change",
            daemon=True,  # each step is whole: what is left at an exit, is left
        ).start()
        return True

    def _run(self, change: Change, steps: Callable[[Change], Iterable[object]]) -> None:
        try:
            for _ in steps(change):
                pass
        except JobQueueError as error:
            change.problem = (
                f"It stopped after {number_of(change.count, 'job')}: {error}"
            )
            logger.error("%s %s: %s", change.doing, change.where, error)  # noqa: TRY400
        except Exception:
            change.problem = "It stopped at an error, which is in the log"
            logger.exception("%s %s failed", change.doing, change.where)
        finally:
            change.is_over = True
            self._expire()

    def _add(self, change: Change) -> None:
        with self._lock:
            self._changes[change.token] = change
            if len(self._changes) > _MOST_REMEMBERED:
                self._changes.popitem(last=False)


def in_chunks(
    ids: Sequence[int], make: Callable[..., list[int]]
) -> Callable[[Change], Iterator[None]]:
    """Return the steps that change jobs by their ids."""

    def steps(change: Change) -> Iterator[None]:
        for start in range(0, len(ids), CHUNK):
            change.step(make(*ids[start : start + CHUNK]))
            yield

    return steps


def log(what: str, who: str, ids: Sequence[int] = ()) -> None:
    """Log a change, with who asked for it, and the ids of its jobs."""
    which = f": {', '.join(map(str, ids))}" if ids else ""
    shown = one_line(who)
    logger.info(
        "%s, for %s%s",
        what.strip(),
        shown,
        which,
        extra={"asked_by": shown, "job_ids": list(ids)},
    )
