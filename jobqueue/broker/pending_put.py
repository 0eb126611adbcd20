"""PendingPut: a put of an event loop that has no answer yet."""

import asyncio
from typing import NamedTuple


class PendingPut(NamedTuple):
    """A put that is to be sent, or to be answered."""

    future: asyncio.Future[int]  # done before the answer if the put was cancelled
    command: bytes
    tube: str
    size: int  # of the body, in bytes
    deadline: float  # by the loop's clock


class LimitQuestion(PendingPut):
    """A put that was too big: its ``command`` asks how large a job may be."""

    __slots__ = ()
