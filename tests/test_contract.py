"""The public surface does not change: names, signatures, commands, log keys, metrics.

``contract.json`` was written before the package was laid out anew. A change there is a
change of the public interface: it belongs into the CHANGELOG, too.
"""

import importlib
import inspect
import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from prometheus_client.metrics_core import Metric

import jobqueue
from jobqueue.worker.metrics import WorkerMetrics
from tests.helpers.servers import Beanstalkd
from tests.helpers.worker_process import WorkerProcess

CONTRACT: dict[str, Any] = json.loads(
    Path(__file__).with_name("contract.json").read_text()
)

TASKS = """
from jobqueue import Bury, JobQueue

queue = JobQueue()


@queue.task("t")
def fine():
    pass


@queue.task("t")
def bad():
    raise ValueError("no")


@queue.task("t", retries=1, backoff=0)
def again():
    raise ValueError("no")


@queue.task("t", max_kicks=0)
def hopeless():
    raise ValueError("no")
"""


def signature_of(name: str) -> str:
    """Return the parameters of a public object, by its dotted name."""
    module, _, rest = name.partition(":")
    first, *others = rest.split(".")
    found: object = getattr(importlib.import_module(module), first)
    for part in others:
        found = inspect.getattr_static(found, part)
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    found = getattr(found, "_function", found)
    assert callable(found)
    return str(
        inspect.Signature(
            [
                parameter.replace(annotation=parameter.empty)
                for parameter in inspect.signature(found).parameters.values()
            ]
        )
    )


def options_of(module: str, *command: str) -> list[str]:
    """Return the options that a command's help lists."""
    helped = io.StringIO()
    with (
        mock.patch.object(sys, "argv", [module, *command, "--help"]),
        redirect_stdout(helped),
        suppress(SystemExit),
    ):
        importlib.import_module(f"{module}.__main__").main()
    lines = re.findall(r"^  +(-.*)$", helped.getvalue(), re.MULTILINE)
    heads = (re.split(r"\s{2,}", line)[0] for line in lines)
    return sorted({word for head in heads for word in re.findall(r"--?[\w-]+", head)})


def families(metrics: Iterable[Metric]) -> dict[str, str]:
    """Return the type of each metric, by its name."""
    return {metric.name: metric.type for metric in metrics}


def log_keys(log: str) -> dict[str, list[str]]:
    """Return which keys the lines have, by the words that each begins with."""
    found: dict[str, set[str]] = {}
    for line in log.splitlines():
        record = json.loads(line)
        message = re.sub(r"\d+", "N", record["message"])
        kind = " ".join(re.findall(r"[\w:()]+", message)[:3])
        found.setdefault(kind, set()).update(record)
    return {kind: sorted(keys) for kind, keys in found.items()}


def test_public_names() -> None:
    assert CONTRACT["names"] == sorted(jobqueue.__all__)


@pytest.mark.parametrize("name", sorted(CONTRACT["errors"]))
def test_bases_of_errors(name: str) -> None:
    kind = getattr(jobqueue, name)

    assert CONTRACT["errors"][name] == [base.__name__ for base in kind.__mro__]


@pytest.mark.parametrize("name", sorted(CONTRACT["signatures"]))
def test_signatures(name: str) -> None:
    expected = CONTRACT["signatures"][name]

    # Only the sentinel of an option that was not given may look different.
    assert expected == re.sub(r"<[^>]*>|UNSET", "UNSET", signature_of(name))


@pytest.mark.parametrize("module", sorted(CONTRACT["commands"]))
def test_options_of_commands(module: str) -> None:
    commands = CONTRACT["commands"][module]

    found = {
        command: options_of(module, *command.split()) for command in sorted(commands)
    }

    assert commands == found


def test_metrics() -> None:
    described = families(WorkerMetrics(list, int).describe())

    assert CONTRACT["metrics"] == described


def test_log_keys(broker: Beanstalkd, tmp_path: Path) -> None:
    expected = CONTRACT["log"]

    found = logged(broker, tmp_path)

    assert expected == {kind: found.get(kind) for kind in expected}


def logged(broker: Beanstalkd, folder: Path) -> dict[str, list[str]]:
    """Return the keys of what a worker logs about jobs that end in all ways."""
    (folder / "tasks.py").write_text(TASKS)
    with broker.client("t") as client:
        for name in ("fine", "bad", "again", "hopeless", "nobody"):
            body = f'{{"func_name":"{name}","tube":"t","kwargs":{{}}}}'
            client.put(body.encode())
    arguments = ("--import", "tasks", "--log-format", "json")
    with WorkerProcess(
        folder, *arguments, "--burst", BEANSTALKD_URL=broker.url
    ) as worker:
        worker.exit_code()
    found = log_keys(worker.log)
    with WorkerProcess(
        folder, *arguments, "--processes=2", BEANSTALKD_URL=broker.url
    ) as worker:
        worker.says("Worker started")
        (child, *_) = children(worker.process.pid)
        os.kill(child, signal.SIGKILL)
        worker.says("another takes its place")
        worker.signal(signal.SIGTERM)
        worker.exit_code()
    died = [line for line in worker.log.splitlines() if "another takes" in line]
    return found | log_keys("\n".join(died))


def children(pid: int) -> list[int]:
    """Return the processes that this one has started."""
    with Path(f"/proc/{pid}/task/{pid}/children").open() as file:
        return list(map(int, file.read().split()))
