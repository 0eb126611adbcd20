"""The rooms and floors: a file imports only from the floors below its own."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jobqueue

PACKAGE = Path(jobqueue.__file__).parent

OUTSIDE = {
    "broker.connection": {"greenstalk"},
    "pytest_plugin": {"pytest"},
    "worker.metrics": {"prometheus_client"},
    "worker.reporting.metrics_server": {"prometheus_client"},
    "admin.screen.rich_output": {"rich"},
}
STARTS_DEVSERVER = "testing.private_broker"


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


ROOMS = {room_of(path): path for path in PACKAGE.rglob("*.py")}


def imported_modules(path: Path) -> Iterator[str]:
    """Yield each module that a file imports: lazily and for type checking too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                room = name.removeprefix("jobqueue.")
                yield name if room in ROOMS else str(node.module)


def is_of_devserver(room: str) -> bool:
    return room.partition(".")[0] == "devserver"


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_the_development_server_and_the_rest_do_not_import_each_other(
    room: str,
) -> None:
    imported = {
        is_of_devserver(module.removeprefix("jobqueue").removeprefix("."))
        for module in imported_modules(ROOMS[room])
        if module.partition(".")[0] == "jobqueue"
    }

    assert imported <= {is_of_devserver(room), room == STARTS_DEVSERVER}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_only_the_connection_imports_from_outside_of_the_standard_library(
    room: str,
) -> None:
    imported = {module.partition(".")[0] for module in imported_modules(ROOMS[room])}

    outside = imported - sys.stdlib_module_names - {"jobqueue"}

    assert outside == OUTSIDE.get(room, set())


def test_importing_does_nothing_but_define() -> None:
    script = """
import logging, os, signal, socket, threading
connect = socket.socket.connect
def refuse(*args): raise SystemExit("connected at import")
socket.socket.connect = refuse
before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
import jobqueue, jobqueue.worker
assert threading.active_count() == 1
assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
assert not logging.getLogger().handlers
assert not logging.getLogger("jobqueue").handlers
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "fine\n", done.stderr


def test_every_public_name_is_found_and_imported_when_it_is_asked_for() -> None:
    script = """
import sys, jobqueue
assert "jobqueue.errors" not in sys.modules
for name in jobqueue.__all__:
    getattr(jobqueue, name)
from jobqueue import *
assert Worker.__module__ == "jobqueue.worker"
assert dir(jobqueue) == sorted(jobqueue.__all__)
try:
    jobqueue.Celery
except AttributeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stdout == "module 'jobqueue' has no attribute 'Celery'\n", done.stderr


def test_who_puts_jobs_imports_no_more_than_that_takes() -> None:
    script = """
import sys
import greenstalk
before = set(sys.modules)
from jobqueue import Bury, JobQueue, Retry
slow = {"asyncio", "dataclasses", "inspect", "logging", "random", "urllib.parse"}
print(sorted(slow & (set(sys.modules) - before)))
print(sorted(name for name in sys.modules if name.startswith("jobqueue.worker")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stdout == "[]\n[]\n", done.stderr


def test_running_the_worker_module_warns_of_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "jobqueue.worker", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"jobqueue {jobqueue.__version__}\n"
    assert done.stderr == ""
