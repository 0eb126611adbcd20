"""Rest: what is left of a search that goes on later, maybe in another process."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.errors import OptionError

_LONGEST = 1_000  # characters
_COUNTS = 6  # numbers that say whether jobs came or went


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a search, and what it has learnt."""

    server: int  # the process that the broker was
    puts: int  # at that time
    last: int  # the last id to ask about
    is_last_known: bool
    jobless: int  # ids in a row
    looked_at: int  # jobs
    counts: Sequence[int]  # of the tube
    gaps: Sequence[tuple[int, int]]  # ids to ask about, both ends included

    @classmethod
    def after_notes(cls, next_id: int, looked_at: int) -> Self:
        """Return the rest of a search by notes: their jobs from this id on."""
        return cls(
            server=0,
            puts=0,
            last=MAX_JOB_ID,
            is_last_known=True,
            jobless=0,
            looked_at=looked_at,
            counts=[0] * _COUNTS,
            gaps=[(next_id, MAX_JOB_ID)],
        )

    def encode(self) -> str:
        """Return the rest as text of digits, dots and hyphens."""
        numbers = (self.server, self.puts, self.last, int(self.is_last_known))
        counts = (self.jobless, self.looked_at, *self.counts)
        gaps = (f"{low}-{high}" for low, high in self.gaps)
        return ".".join((*map(str, numbers), *map(str, counts), *gaps))

    @classmethod
    def decode(cls, text: str) -> Self:
        """Return the rest in a text. Raises OptionError for any other text."""
        if len(text) > _LONGEST or not _REST.fullmatch(text):
            raise OptionError(f"{text[:50]!r} is not the rest of a search")
        server, puts, last, is_known, jobless, looked_at, *others = text.split(".")
        gaps = [gap.split("-") for gap in others[_COUNTS:]]
        return cls(
            server=int(server),
            puts=int(puts),
            last=min(int(last), MAX_JOB_ID),
            is_last_known=is_known == "1",
            jobless=int(jobless),
            looked_at=int(looked_at),
            counts=list(map(int, others[:_COUNTS])),
            gaps=[(max(1, int(low)), min(int(high), MAX_JOB_ID)) for low, high in gaps],
        )


_NUMBER = r"[0-9]{1,20}"
_REST = re.compile(rf"{_NUMBER}(\.{_NUMBER}){{{5 + _COUNTS}}}(\.{_NUMBER}-{_NUMBER})+")
