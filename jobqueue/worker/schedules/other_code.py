"""Whether workers are there whose code has another definition of a schedule."""

import zlib
from collections.abc import Callable, Iterable

from jobqueue.broker.operating import OperatorConnection
from jobqueue.job.note_tubes import code_tube
from jobqueue.schedule.tick import Tick
from jobqueue.worker.reporting import schedule_log
from jobqueue.worker.schedules.scheduled_task import ScheduledTask

GRACE = 30  # seconds after a connection was made in which others may make theirs


class OtherCode:
    """Tells whether a schedule is left to workers with other code, or taken over.

    All workers that have the same schedules watch a tube of their code, which is
    empty, and their ticks name it. So a worker can ask whether any of them is left.
    """

    def __init__(
        self,
        connection: OperatorConnection,
        tasks: Iterable[ScheduledTask],
        clock: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._connected = clock()
        self._left: dict[str, str] = {}  # the definition for which each was left
        self.own = _code_of(tasks)

    @property
    def tube(self) -> str:
        """The tube that each worker with this code watches."""
        return code_tube(self.own)

    def has(self, tick: Tick) -> bool:
        """Return whether a worker may be there that has the tick's definition."""
        if abs(self._clock() - self._connected) >= GRACE:  # it may have been set back
            (found,) = self._connection.tube_stats([code_tube(tick.code)])
            if not (found and found.watching):
                self._left.pop(tick.name, None)
                return False
        if self._left.get(tick.name) != tick.definition:
            self._left[tick.name] = tick.definition
            schedule_log.left(tick.name, tick.definition)
        return True


def _code_of(tasks: Iterable[ScheduledTask]) -> str:
    """Return a name for these schedules, the same in each process that has them."""
    texts = sorted(f"{task.name} {task.schedule.text}" for task in tasks)
    return f"{zlib.crc32(repr(texts).encode()):08x}"
