"""Errors that Python itself would print as text, in the log instead."""

import logging
import sys
import threading
from types import TracebackType

from jobqueue.worker.reporting.unfailing import logger


def log_python_errors() -> None:
    """Log what Python would print: warnings, and errors that no code handles.

    They are those of other threads, of ``__del__`` methods and of callbacks, and the
    one that ends the process. For a log of which each line is a JSON object. What the
    interpreter writes when it crashes stays text.
    """
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_of_thread
    sys.unraisablehook = _log_unraisable


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    logger.critical("The process has failed", exc_info=(kind, error, traceback))


def _log_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:  # it ends its thread, and Python says nothing
        return
    error = args.exc_value or args.exc_type()
    name = args.thread.name if args.thread else "a thread that has ended"
    logger.error(
        "Thread %s has failed",
        name,
        exc_info=(args.exc_type, error, args.exc_traceback),
    )


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    error = unraisable.exc_value or unraisable.exc_type()
    logger.error(
        "%s %s",
        f"{unraisable.err_msg or 'Exception ignored in'}:",
        _name(unraisable.object),
        exc_info=(unraisable.exc_type, error, unraisable.exc_traceback),
    )


def _name(thing: object) -> str:
    """Return the name of a function, or of an object's class, which runs no code."""
    name = getattr(thing, "__qualname__", None)
    return name if isinstance(name, str) else f"a {type(thing).__name__}"
