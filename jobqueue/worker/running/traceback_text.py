"""The end of a traceback as text, made in a tenth of the time that Python takes.

Python looks, for each line of source, which part of it to underline, and parses it for
that. A worker leaves a note of each failure, and does without.
"""

import linecache
import traceback
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from jobqueue.worker.running.tracebacks import traceback_of

_FRAMES = 20  # the last ones, of each error
_ERRORS = 10  # an error, its cause, the cause of that ...
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
_HEAD = "Traceback (most recent call last):"


def end_of_traceback(error: BaseException) -> str:
    """Return the last frames of an error and of its causes; empty if that fails.

    As Python prints them, but for the marks under parts of lines.
    """
    try:
        if isinstance(error, BaseExceptionGroup):
            lines = traceback.format_exception(type(error), error, traceback_of(error))
            return "".join(lines).rstrip("\n")
        return "\n".join(reversed(list(_chain(error))))
    except BaseException:  # noqa: BLE001 - the error's class may raise anything
        return ""


def _chain(error: BaseException) -> Iterator[str]:
    """Yield an error, and then what caused it, as Python says it."""
    for _ in range(_ERRORS):
        yield "\n".join(_lines(error))
        if error.__cause__ is not None:
            sentence, error = _CAUSE, error.__cause__
        elif error.__context__ is not None and not error.__suppress_context__:
            sentence, error = _CONTEXT, error.__context__
        else:
            return
        yield f"\n{sentence}\n"


def _lines(error: BaseException) -> Iterator[str]:
    frames = deque(_frames(traceback_of(error)), maxlen=_FRAMES)
    if frames:
        yield _HEAD
        yield from map(_frame, frames)
    for line in traceback.format_exception_only(type(error), error):
        yield line.rstrip("\n")


def _frames(frames: TracebackType | None) -> Iterator[TracebackType]:
    while frames is not None:
        yield frames
        frames = frames.tb_next


def _frame(at: TracebackType) -> str:
    code, number = at.tb_frame.f_code, at.tb_lineno
    text = f'  File "{code.co_filename}", line {number}, in {code.co_name}'
    source = linecache.getline(code.co_filename, number, at.tb_frame.f_globals)
    return f"{text}\n    {source.strip()}" if source else text
