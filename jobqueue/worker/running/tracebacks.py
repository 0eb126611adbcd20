"""The traceback of an error, without the frames of this package."""

from types import TracebackType


def traceback_of(error: BaseException) -> TracebackType | None:
    """Return an error's traceback, even if its class overrides ``__traceback__``."""
    found: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    return found


def set_traceback(error: BaseException, traceback: TracebackType | None) -> None:
    """Set an error's traceback, even if its class overrides ``with_traceback``."""
    BaseException.with_traceback(error, traceback)


def without_own_frames(error: BaseException) -> BaseException:
    """Return the error with a traceback that begins in the task's own code."""
    frames = traceback_of(error)
    while frames and frames.tb_frame.f_globals.get("__package__") == __package__:
        frames = frames.tb_next
    set_traceback(error, frames)
    return error
