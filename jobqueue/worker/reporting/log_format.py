"""The format of the worker's log: text for people, or JSON lines for programs."""

import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any

from jobqueue.safe_text import MAX_TRACEBACK, error_of, log_entry, shortened
from jobqueue.worker.reporting.python_errors import log_python_errors

if TYPE_CHECKING:  # Windows has no locks of this kind
    from jobqueue.worker.reporting.log_lock import LogLock

TEXT = "%(asctime)s %(levelname)s %(message)s"
TEXT_OF_SEVERAL = "%(asctime)s %(levelname)s [%(process)d] %(message)s"

# The attributes that every record has; any other one came as ``extra``.
_NO_EXTRA = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}

_encode = json.JSONEncoder(allow_nan=False).encode


def configure(
    level: str, *, as_json: bool, in_several: bool, lock: "LogLock | None" = None
) -> None:
    """Set up the log of a worker process; not for one that embeds a worker.

    With ``in_several``, each line of text has the process's id. JSON always has it.
    ``lock`` keeps the lines of several processes apart.

    An imported module may set up logging, too, and ``logging.basicConfig`` does nothing
    if the root logger has a handler. So until :func:`complete` a handler of text is
    that of last resort: it gets what no other handler gets.
    """
    root = logging.getLogger()
    root.setLevel(level)
    handler = logging.StreamHandler() if lock is None else WholeEntries(lock)
    logging.lastResort = handler
    if as_json:
        handler.setFormatter(JSONLines())
        log_python_errors()
        root.addHandler(handler)
    else:
        handler.setFormatter(TextLines(TEXT_OF_SEVERAL if in_several else TEXT))


def complete() -> None:
    """Give the root logger the command's handler, unless a module has set up a log.

    ``basicConfig()`` without a file or a format is no such set-up: its lines have no
    time, and ``logging.warning("...")`` calls it, too.
    """
    root = logging.getLogger()
    if logging.lastResort and all(_is_default(handler) for handler in root.handlers):
        root.handlers[:] = [logging.lastResort]


def _is_default(handler: logging.Handler) -> bool:
    """Return whether a handler is that of ``logging.basicConfig()``."""
    return (
        type(handler) is logging.StreamHandler
        and handler.stream is sys.stderr
        and getattr(handler.formatter, "_fmt", None) == logging.BASIC_FORMAT
    )


class WholeEntries(logging.StreamHandler[Any]):
    """Writes each entry of the log at once, and not into that of another process.

    It goes past the buffer of standard error, so that an entry is not in one line with
    what a task has printed but not sent.
    """

    def __init__(self, lock: "LogLock") -> None:
        super().__init__()
        self._log_lock = lock

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            entry = self.format(record) + self.terminator
            encoded = entry.encode(self.stream.encoding, self.stream.errors)
            self._log_lock.write(self.stream.fileno(), encoded)
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as each handler does
            self.handleError(record)


class _Formatter(logging.Formatter):
    """A formatter that leaves out the middle of a traceback of megabytes.

    The records of one second share the text of their second.
    """

    time_format = "%s,%03d"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text)
        self._last_second = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's own name
        """Return the record's time, to the millisecond."""
        second, text = self._last_second
        if int(record.created) != second:
            second = int(record.created)
            text = self.text_of_second(second)
            self._last_second = (second, text)
        return self.time_format % (text, record.msecs)

    def text_of_second(self, second: int) -> str:
        """Return a Unix time as text."""
        return time.strftime(self.default_time_format, time.localtime(second))

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - logging's own name and types
        return shortened(super().formatException(ei), MAX_TRACEBACK)


class TextLines(_Formatter):
    """Formats each record as text that no terminal obeys, and that forges no other.

    Only the first line of an entry begins with a digit, that of its time. Further lines
    (a traceback, a stack, a message of several lines) stay lines, but one that begins
    with a digit is indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return log_entry(super().format(record))


class JSONLines(_Formatter):
    """Formats each record as a JSON object, in one line of ASCII.

    Its keys are ``time`` (ISO 8601, in UTC), ``level``, ``logger``, ``message`` and
    ``process`` (the id), ``exception`` and ``stack`` if there is one, and then those of
    the record's ``extra``. Values that JSON can't carry become text, and an error in
    an object's own code never loses the line.
    """

    time_format = "%s.%03d+00:00"  # in UTC

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line."""
        content: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "process": record.process,
        }
        if record.exc_text or record.exc_info:
            content["exception"] = record.exc_text or self._traceback(record)
        if record.stack_info:
            content["stack"] = record.stack_info
        for key, value in record.__dict__.items():
            if key not in _NO_EXTRA:
                content.setdefault(_text(key), value)
        try:
            return _encode(content)
        except Exception:  # noqa: BLE001 - a value's own code may raise anything
            items = [f"{_encode(key)}: {_json(content[key])}" for key in content]
            return f"{{{', '.join(items)}}}"

    def text_of_second(self, second: int) -> str:
        """Return a Unix time as text, in UTC."""
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))

    def _traceback(self, record: logging.LogRecord) -> str | None:
        """Return the traceback, or if that can't be shown, the error in one line."""
        if record.exc_info is None or record.exc_info[1] is None:
            return None
        try:
            return self.formatException(record.exc_info)
        except Exception:  # noqa: BLE001 - an exception's own code may raise anything
            return error_of(record.exc_info[1])


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - as above
        return f"{_text(record.msg)} (with arguments that raise {error_of(error)})"


def _json(value: object) -> str:
    try:
        return _encode(value)
    except Exception:  # noqa: BLE001 - as above
        return _encode(_text(value))


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - as above
        return f"(a value of {type(value).__name__} that can't be shown)"
