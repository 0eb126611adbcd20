"""Whether a line was written, which no handler says of itself."""

import io
import logging
import logging.handlers
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jobqueue.worker.reporting import written_log
from jobqueue.worker.reporting.written_log import log_if_written
from tests.helpers.servers import Beanstalkd
from tests.helpers.worker_process import copy_app

ERROR = ValueError("no")


@pytest.fixture(autouse=True)
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """Return a logger in place of the worker's, with the test's own handlers alone."""
    logger = logging.Logger("of a test")  # noqa: LOG001 - without parents
    monkeypatch.setattr(written_log, "logger", logger)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    yield logger
    for handler in logger.handlers:
        stream = getattr(handler, "stream", None)
        if stream is not None:
            with suppress(OSError):  # the disk is full
                stream.close()


def is_written() -> bool:
    return log_if_written("a %s of %d", "line", 1, error=ERROR, extra={"job_id": 7})


def to_file(path: str) -> logging.Handler:
    return logging.StreamHandler(Path(path).open("w"))


def to_pipe_without_reader() -> logging.Handler:
    reading, writing = os.pipe()
    os.close(reading)
    return logging.StreamHandler(os.fdopen(writing, "w"))


def to_closed_stream() -> logging.Handler:
    stream = io.StringIO()
    stream.close()
    return logging.StreamHandler(stream)


def to_nothing() -> logging.Handler:
    handler: Any = logging.StreamHandler(io.StringIO())
    handler.stream = None  # as sys.stderr may be
    return handler  # type: ignore[no-any-return]


def with_broken_format() -> logging.Handler:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(nothing)s", validate=False))
    return handler


def with_filter() -> logging.Handler:
    handler = logging.StreamHandler(io.StringIO())
    handler.addFilter(lambda _: False)
    return handler


def of_level(level: int) -> logging.Handler:
    handler = logging.StreamHandler(io.StringIO())
    handler.setLevel(level)
    return handler


def to_memory() -> logging.Handler:
    return logging.handlers.MemoryHandler(99, flushLevel=logging.CRITICAL)


LOST: dict[str, Callable[[], logging.Handler]] = {
    "full disk": lambda: to_file("/dev/full"),
    "null device": lambda: to_file(os.devnull),
    "reader gone": to_pipe_without_reader,
    "closed": to_closed_stream,
    "no stream": to_nothing,
    "format": with_broken_format,
    "filter": with_filter,
    "level": lambda: of_level(logging.CRITICAL),
    "queue": lambda: logging.handlers.QueueHandler(queue.Queue()),
    "memory": to_memory,
    "null handler": logging.NullHandler,
    "network": lambda: logging.handlers.SocketHandler("localhost", 1),
}


@pytest.mark.parametrize("make", LOST.values(), ids=LOST)
def test_lost(logger: logging.Logger, make: Callable[[], logging.Handler]) -> None:
    logger.addHandler(make())

    assert not is_written()


def test_written(logger: logging.Logger, tmp_path: Path) -> None:
    """One handler that has written is enough."""
    logger.addHandler(to_file("/dev/full"))
    logger.addHandler(logging.FileHandler(tmp_path / "log", delay=True))

    assert is_written()
    text = (tmp_path / "log").read_text()
    assert text == "a line of 1\nValueError: no\n"


def test_handler_is_left_as_it_was(logger: logging.Logger) -> None:
    failures: list[object] = []
    handler: Any = to_closed_stream()
    handler.handleError = failures.append
    logger.addHandler(handler)

    assert not is_written()
    assert not is_written()
    assert len(failures) == 2
    assert handler.handleError == failures.append
    logger.handlers[:] = [of_level(0)]
    assert is_written()
    assert "handleError" not in vars(logger.handlers[0])


@pytest.mark.parametrize("is_off", [True, False])
def test_logger_that_is_off(logger: logging.Logger, is_off: bool) -> None:
    logger.addHandler(of_level(0))
    if is_off:
        logger.setLevel(logging.CRITICAL)
    logger.addFilter(lambda record: record.levelno != logging.ERROR or not is_off)

    assert is_written() != is_off
    logger.setLevel(logging.DEBUG)
    assert is_written() != is_off


def test_last_resort(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any handler, logging prints errors."""
    assert not logger.handlers

    assert is_written()
    assert capsys.readouterr().err == "a line of 1\nValueError: no\n"


@pytest.mark.parametrize("log", ["/dev/full", "/dev/null", "closed", "file"])
def test_job_deleted_for_its_kicks(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch, log: str
) -> None:
    """It is deleted only if its body was written, and else buried."""
    copy_app("log_lines", tmp_path)
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    with broker.client("t") as client:
        client.put(b'{"func_name":"fail_for_good","tube":"t","kwargs":{"secret":"a"}}')
    close = 'exec "$@" 2>&-' if log == "closed" else 'exec "$@"'
    command = [sys.executable, "-m", "jobqueue.worker", "--import=tasks", "--burst"]
    path = Path(log) if log.startswith("/dev") else tmp_path / "log"
    with path.open("w") as stderr:
        subprocess.run(
            ["sh", "-c", close, "sh", *command],
            cwd=tmp_path,
            stderr=stderr,
            check=True,
        )

    assert broker.counts("t") == ({} if log == "file" else {"buried": 1})
