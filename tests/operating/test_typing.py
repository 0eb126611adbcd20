"""A sample application of Operator: mypy and pyright check it strictly, and it runs."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

from jobqueue import (
    FailureGroup,
    FailureNote,
    JobPage,
    JobQueue,
    JobRecord,
    JobState,
    JobStats,
    Operator,
    ServerStats,
    TubeStats,
)
from tests.helpers.noted_failure import put_note
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import body, put, put_buried

# What only the commands and the page use, or what has examples of its own.
OTHERS = {
    *("finding", "grouped", "notes", "notes_about", "next_ready", "sample"),
    *("delete_schedule", "run_schedule", "schedules"),
}


class Support:
    """What a web application tells its users of their jobs, and does for them."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator

    def is_busy(self, tube: str) -> bool:
        counts = assert_type(self.operator.tube(tube), TubeStats | None)
        return counts is not None and assert_type(counts.ready, int) > 2

    def names(self) -> list[str]:
        return [
            tube.tube for tube in assert_type(self.operator.tubes(), list[TubeStats])
        ]

    def version(self) -> str:
        return assert_type(self.operator.server(), ServerStats).version

    def status(self, job_id: int) -> str:
        job = assert_type(self.operator.job(job_id), JobRecord | None)
        if job is None:
            return "done"
        if assert_type(job.state, JobState) is not JobState.BURIED:
            return f"{job.func_name} is waiting"
        failure = assert_type(self.operator.failure(job_id), FailureNote | None)
        return f"failed, because {failure.error_text}" if failure else "failed"

    def cancel(self, *ids: int) -> bool:
        return assert_type(self.operator.delete(*ids), list[int]) == list(ids)

    def retry(self, *ids: int) -> list[int]:
        return assert_type(self.operator.kick(*ids), list[int])

    def reasons(self, tube: str) -> list[tuple[str, int]]:
        hour = datetime.now(UTC) - timedelta(hours=1)
        groups = self.operator.failure_groups(tube, since=hour)
        assert_type(groups, list[FailureGroup])
        failures = self.operator.failures(tube, error="ValueError")
        assert len(assert_type(failures, list[FailureNote])) == 1
        return [(group.error, group.buried) for group in groups]

    def waiting(self, tube: str) -> list[dict[str, object] | None]:
        jobs = self.operator.jobs(tube, JobState.READY, func_name="send")
        return [job.kwargs for job in assert_type(jobs, Iterator[JobRecord])]

    def first_page(self, tube: str) -> str | None:
        page = assert_type(self.operator.page(tube, limit=1), JobPage)
        assert_type(page.jobs, list[JobRecord])
        return page.rest

    def ages(self, *ids: int) -> list[int | None]:
        jobs = assert_type(self.operator.job_stats(*ids), list[JobStats | None])
        return [job and job.age for job in jobs]

    def arguments(self, *ids: int) -> list[object]:
        jobs = assert_type(self.operator.job_records(*ids), list[JobRecord | None])
        return [job and job.kwargs for job in jobs]

    def start_over(self, tube: str) -> int:
        assert assert_type(self.operator.pause(tube, 1), bool)
        seen: list[JobStats] = []
        kicked = assert_type(self.operator.kick_all(tube, on_step=seen.extend), int)
        assert kicked == len(seen)
        return assert_type(self.operator.clear(tube, "ready", "buried"), int)

    def again(self, job_id: int) -> int | None:
        return assert_type(self.operator.put_failed(job_id), int | None)

    def all_again(self, tube: str) -> dict[int, int]:
        return assert_type(self.operator.put_all_failed(tube, 1, 2), dict[int, int])


def test_sample(broker: Beanstalkd, queue: JobQueue) -> None:
    ids = put(broker, 2)
    (failed,) = put_buried(broker)
    put_note(broker, failed)
    put_note(broker, 77, kind="deleted", tube="u", body=body(tube="u"))
    with Operator(broker.url) as operator:
        support = Support(operator)
        assert_type(queue.operator, Operator)
        assert str(operator.address) == broker.url
        assert not support.is_busy("t")
        assert support.names() == ["default", "t"]
        assert support.version() == broker.version()
        assert support.status(ids[0]) == "send is waiting"
        assert support.status(failed) == "failed, because no such address"
        assert support.reasons("t") == [("ValueError", 1)]
        assert support.waiting("t") == [{"n": 0}, {"n": 1}]
        assert support.first_page("t") is not None
        assert support.ages(99) == [None]
        assert support.retry(failed) == [failed]
        assert support.cancel(ids[0])
        assert support.status(ids[0]) == "done"
        assert support.start_over("t") == 2
        assert support.again(77)
        assert assert_type(operator.put("t", "send", {"n": 5}), int) > failed
        operator.close()


def test_uses_each_method() -> None:
    names = {name for name in dir(Operator) if not name.startswith("_")}
    source = ast.walk(ast.parse(Path(__file__).read_text()))

    assert names - OTHERS <= {n.attr for n in source if isinstance(n, ast.Attribute)}
    assert names >= OTHERS
