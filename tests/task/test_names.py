"""The names of a task: what jobs call it, and what they called it before."""

import importlib
import json
import logging
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from jobqueue import (
    BadJobError,
    DuplicateTaskError,
    JobQueue,
    OptionError,
    Worker,
    current_job,
)
from jobqueue.task.registry import subscriber
from jobqueue.testing import run_jobs
from jobqueue.worker.metrics import WorkerMetrics
from tests.helpers.servers import Beanstalkd
from tests.helpers.worker_process import write_module


def body(name: str) -> bytes:
    return json.dumps({"func_name": name, "tube": "t", "kwargs": {}}).encode()


def test_first_is_put_and_all_are_taken(broker: Beanstalkd, queue: JobQueue) -> None:
    """Within a worker the task has one name, whatever a job calls it."""
    seen: list[str] = []

    @queue.task("t", name=["mail.send", "send_mail"])
    def send() -> None:
        seen.append(current_job().func_name)

    assert subscriber.putter("t", "send_mail") is send
    send.put()
    for name in ("send_mail", "send"):
        broker.put(body(name), priority=65536)
    (first, second, third) = run_jobs(broker.url, reraise=False)

    assert (first.func_name, second.func_name) == ("mail.send", "send_mail")
    assert seen == ["mail.send", "mail.send"]
    assert isinstance(third.error, BadJobError)
    assert repr(send) == "<task mail.send in tube t>"


def test_one_task_for_logs_and_metrics(
    broker: Beanstalkd, queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jobqueue.worker")

    @queue.task("t", name=("new", "old"))
    def work() -> None: ...

    broker.put(body("old"))
    worker = Worker(["t"], burst=True)
    metrics = WorkerMetrics.of(worker)
    worker.run()

    (jobs,) = (each for each in metrics.collect() if each.name == "jobqueue_jobs")
    assert {
        (sample.labels["func_name"], sample.value)
        for sample in jobs.samples
        if sample.labels["outcome"] == "done"
    } == {("new", 1)}
    assert "tasks new;" in caplog.text
    assert "done: new (tube t)" in caplog.text


def test_two_tasks_of_one_name(queue: JobQueue) -> None:
    """A name that another task of the tube has, or had, is refused."""

    @queue.task("t", name=("a", "b"))
    def one() -> None: ...

    @queue.task("t", name="c")
    def two() -> None: ...

    for name in ("b", ("d", "a")):
        with pytest.raises(DuplicateTaskError, match=f"are named '{name[-1]}' in tube"):

            @queue.task("t", name=name)
            def three() -> None: ...

    queue.task("u", name="b")(two.__wrapped__)
    assert subscriber.find("t", "d") is None


def test_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is loaded again with other names leaves none of the old ones."""
    monkeypatch.syspath_prepend(tmp_path)
    source = "from jobqueue import JobQueue\n@JobQueue.task('t', name={})\ndef f(): ..."
    write_module(tmp_path, "renamed", source.format(["a", "b"]))
    module = importlib.import_module("renamed")
    earlier = module.f
    write_module(tmp_path, "renamed", "# a line more\n" + source.format(["c", "a"]))
    importlib.reload(module)

    assert [bool(subscriber.find("t", name)) for name in "abc"] == [True, False, True]
    assert repr(earlier) == "<task c in tube t>"
    assert [task.names for task in subscriber.tasks(["t"])] == [("c", "a")]


class Name(StrEnum):
    SEND = "send"


def test_member_of_an_enum(queue: JobQueue) -> None:
    task = queue.task("t", name=Name.SEND)(print)

    assert repr(task) == "<task send in tube t>"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a b", "name has to be an identifier, .* not 'a b'"),
        ("", "name has to be an identifier, .* not ''"),
        ("a..b", "not 'a..b'"),
        (5, "not 5"),
        (["a", None], "not None"),
        ([], "name is empty: leave it out"),
        (["a", "a"], "name has 'a' twice"),
        ({"a", "b"}, "name is a set, which has no order"),
    ],
)
def test_refused(queue: JobQueue, name: Any, problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        queue.task("t", name=name)
