"""Tick: the job that stands for a schedule in the broker, until it is due.

Each schedule has one tick, in a tube of its own (``job/note_tubes.py``), delayed until
the schedule is due next. Its priority is the due time, so that the most overdue comes
first. Its body says the rest, in JSON, for workers and for the command ``jobqueue
schedules``, which may run where there is no code of the application. A body can't be
changed: the tick of the next due time is put anew, and then the old one is deleted.
"""

import json
from typing import NamedTuple

from jobqueue.broker.checks import MAX_JOB_ID, MAX_NUMBER
from jobqueue.job.note_tubes import tick_tube
from jobqueue.job.signing import Signing

_SIGNATURE = "signature"
_HEX = frozenset("0123456789abcdef")
_LONGEST_CODE = 32


class Tick(NamedTuple):
    """What the body of a tick says. All times are in Unix seconds."""

    tube: str  # of the task
    func_name: str
    due: int
    definition: str  # of the due times: see Times.text
    since: float  # when the worker started whose code has this definition
    priority: int  # of the jobs
    ttr: int  # of the jobs, in seconds
    last_due: int = 0  # the last due time that is done with: put, or skipped
    last_put: float = 0  # when a job was put last
    last_job: int = 0  # its id
    code: str = ""  # of the workers that have this definition: see code_tube

    @property
    def name(self) -> str:
        """The name of the schedule, as commands take it and the log has it."""
        return f"{self.tube}/{self.func_name}"

    @property
    def tick_tube(self) -> str:
        """The tube that the tick belongs into."""
        return tick_tube(self.tube, self.func_name)

    def encode(self, signing: Signing) -> bytes:
        """Return the tick as compact JSON, signed if there is a secret."""
        return signing.sign(_JSON.encode(self._asdict()).encode())


def decode_tick(body: bytes) -> Tick | None:
    """Return the tick in the body of a job; None for anything else.

    Anybody may put anything into a tube of ticks. A later version of jobqueue may say
    more in its ticks, and its workers run beside those of this one in a deploy.
    """
    try:
        fields = json.loads(body.decode())
        tick = Tick(**{name: fields[name] for name in fields.keys() & Tick._fields})
        tick.name.encode()  # JSON may hold half a character, which can't be printed
        tick.definition.encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return tick if _is_valid(tick) else None


def is_signed(body: bytes) -> bool:
    """Return whether the body of a tick is signed, and so the jobs have to be."""
    return _SIGNATURE in json.loads(body.decode())


def _is_valid(tick: Tick) -> bool:
    texts = tick.tube, tick.func_name, tick.definition
    numbers = tick.due, tick.priority, tick.last_due
    return (
        all(type(text) is str for text in texts)
        and _is_code(tick.code)
        and all(type(n) is int and 0 <= n <= MAX_NUMBER for n in numbers)
        and type(tick.ttr) is int
        and 1 <= tick.ttr <= MAX_NUMBER
        and type(tick.last_job) is int
        and 0 <= tick.last_job <= MAX_JOB_ID
        and all(
            type(moment) in {int, float} and 0 <= moment <= MAX_NUMBER
            for moment in (tick.since, tick.last_put)
        )
    )


def _is_code(code: object) -> bool:
    """Return whether this is hexadecimal digits, or nothing: part of a tube's name."""
    return type(code) is str and len(code) <= _LONGEST_CODE and set(code) <= _HEX


_JSON = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
)
