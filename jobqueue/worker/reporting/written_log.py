"""A log line of which one can say that it was written."""

import logging
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jobqueue.worker.reporting.unfailing import logger
from jobqueue.worker.running.tracebacks import traceback_of


def log_if_written(
    text: str, *args: object, error: BaseException, extra: Mapping[str, object]
) -> bool:
    """Log an error like ``logger.error``, and return whether it was written.

    A handler that fails raises nothing: logging has it say so on standard error, which
    may be what could not be written. And a handler that passes lines on, to a queue, a
    buffer or a network, does not know what becomes of them. So only what a handler of
    streams or files has written and flushed counts, and nothing on the null device.

    Nothing is logged if no handler is of that kind.
    """
    handlers = list(handlers_of(logging.ERROR))
    if not any(_can_keep(handler) for handler in handlers):
        return False
    exc_info = (type(error), error, traceback_of(error))
    record = logger.makeRecord(
        *(logger.name, logging.ERROR, __file__, 0, text, args, exc_info),
        extra=extra,
    )
    if not logger.filter(record):
        return False
    written = [_handle(handler, record) and _can_keep(handler) for handler in handlers]
    return any(written)


def handlers_of(level: int) -> Iterator[logging.Handler]:
    """Yield the handlers that a line of the worker's logger goes to."""
    current: logging.Logger | None = logger if logger.isEnabledFor(level) else None
    found = current is None
    while current is not None:
        for handler in current.handlers:
            found = True
            if handler.level <= level:
                yield handler
        current = current.parent if current.propagate else None
    if not found and logging.lastResort is not None:
        yield logging.lastResort


def _handle(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Have a handler handle a record; return whether it took it, and did not fail."""
    with _failures_of(handler) as failures:
        return bool(handler.handle(record)) and not failures


@contextmanager
def _failures_of(handler: logging.Handler) -> Iterator[list[logging.LogRecord]]:
    """Collect the records that a handler fails to write, inside a ``with`` block."""
    failures: list[logging.LogRecord] = []
    handle_error = handler.handleError

    def note_error(record: logging.LogRecord) -> None:
        failures.append(record)
        handle_error(record)

    handler.acquire()  # no other thread's record may fail meanwhile
    try:
        own = vars(handler).get("handleError")
        vars(handler)["handleError"] = note_error
        try:
            yield failures
        finally:
            del vars(handler)["handleError"]
            if own is not None:
                vars(handler)["handleError"] = own
    finally:
        handler.release()


def _can_keep(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and not _is_null(handler)


def _is_null(handler: "logging.StreamHandler[Any]") -> bool:
    """Return whether a handler writes to the null device, or to no stream at all."""
    if getattr(handler, "stream", None) is None and not hasattr(
        handler, "baseFilename"
    ):
        return True
    try:
        file = os.fstat(handler.stream.fileno())
        null = os.stat(os.devnull)  # noqa: PTH116 - pathlib takes half a megabyte
    except (AttributeError, OSError, ValueError):  # it is no file, or not open yet
        return False
    return stat.S_ISCHR(file.st_mode) and file.st_rdev == null.st_rdev
