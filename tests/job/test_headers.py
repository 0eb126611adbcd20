"""Headers: strings beside the arguments, from whoever puts a job to its task."""

import asyncio
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from jobqueue import (
    BadJobError,
    BuriedJob,
    JobQueue,
    NewJob,
    OptionError,
    PutManyError,
    TaskDefinitionError,
    Worker,
    current_job,
)
from jobqueue.job.body import decode
from jobqueue.job.headers import MAX_SIZE
from jobqueue.testing import eager, run_jobs
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import json_lines, operate, operate_json

HEADERS = {"request-id": "4f", "tenant": "grün"}
START = '{"func_name":"f","tube":"t","kwargs":{}'


def bodies(broker: Beanstalkd, *ids: int) -> list[Any]:
    with broker.client() as client:
        return [json.loads(client.peek(job_id).body) for job_id in ids]


def test_from_a_put_to_its_task(broker: Beanstalkd, queue: JobQueue) -> None:
    """They stay with a job that is tried again; they are a task's, or a put's own."""
    seen: list[tuple[str, dict[str, str]]] = []

    @queue.task("t", retries=1, backoff=0)
    def work(name: str) -> None:
        seen.append((name, current_job().headers))
        if len(seen) == 1:
            raise OSError

    work.options(headers=HEADERS).put("first")
    run_jobs(broker.url)
    work.put("second")
    run_jobs(broker.url)

    assert seen == [("first", HEADERS), ("first", HEADERS), ("second", {})]


def test_body(broker: Beanstalkd, queue: JobQueue) -> None:
    """They are a fourth key, before the signature, and absent if there are none."""

    @queue.task("t")
    def work() -> None: ...

    with_some = work.options(headers=HEADERS)
    ids = [with_some.put(), with_some.options(ttr=9).put()]
    ids.append(with_some.options(headers={}).put())

    assert [list(body) for body in bodies(broker, *ids)] == [
        ["func_name", "tube", "kwargs", "headers"],
        ["func_name", "tube", "kwargs", "headers"],
        ["func_name", "tube", "kwargs"],
    ]
    assert bodies(broker, ids[0])[0]["headers"] == HEADERS


def test_before_put(broker: Beanstalkd, queue: JobQueue) -> None:
    """Hooks of the queue see each job that is put, and may add headers, in turn."""
    seen: list[NewJob] = []

    @queue.task("t")
    def work(n: int) -> None: ...

    @queue.before_put
    def first(job: NewJob) -> None:
        seen.append(job)
        job.headers["n"] = str(job.kwargs["n"])

    @queue.before_put
    def second(job: NewJob) -> None:
        job.headers["n"] += "!"

    tagged = work.options(headers={"a": "b"})
    ids = [
        tagged.put(1),
        *tagged.put_many([{"n": 2}, {"n": 3}]),
        asyncio.run(tagged.aput(4)),
        work.put(5),
    ]

    found = [body["headers"] for body in bodies(broker, *ids)]
    assert found == [*({"a": "b", "n": f"{n}!"} for n in range(1, 5)), {"n": "5!"}]
    assert seen[0] == NewJob("work", "t", {"n": 1}, {"a": "b", "n": "1!"})
    with pytest.raises(TypeError):
        seen[0].kwargs["n"] = 2  # type: ignore[index] # it is not to be changed


def test_before_put_that_fails(broker: Beanstalkd, queue: JobQueue) -> None:
    """Its error is the put's, and nothing is put."""

    @queue.task("t")
    def work(n: int) -> None: ...

    @queue.before_put
    def fail(job: NewJob) -> None:
        if job.kwargs["n"] == 2:
            raise LookupError("no tenant")
        job.headers["n"] = job.kwargs["n"]  # type: ignore[assignment] # not a string

    with pytest.raises(LookupError, match="no tenant"):
        work.put(2)
    with pytest.raises(OptionError, match="the header 'n' is of type int, not a str"):
        work.put(1)
    with pytest.raises(PutManyError) as failed:
        work.put_many([{"n": 2}])
    assert isinstance(failed.value.__cause__, LookupError)
    assert broker.counts("t") == {}


def test_what_can_be_a_hook(queue: JobQueue) -> None:
    async def hook(job: NewJob) -> None: ...

    without: Any = lambda: None  # noqa: E731 - the types forbid it
    hook_of_one: Any = lambda _job: None  # noqa: E731 - the same
    with pytest.raises(TaskDefinitionError, match="can't be called before a put: "):
        queue.before_put(hook)
    with pytest.raises(TaskDefinitionError, match="function that takes the job "):
        queue.before_put(without)
    with pytest.raises(TaskDefinitionError, match="takes the job and the error "):
        queue.on_buried(hook_of_one)
    queue.before_put(print)


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        (5, "headers have to be a dict of strings, not 5"),
        ({"a b": ""}, "the header 'a b' has a name that HTTP does not take: use"),
        ({"": "x"}, "the header '' has a name"),
        ({"ü": "x"}, "the header 'ü' has a name"),
        ({"a\n": "x"}, r"the header 'a\\n' has a name"),
        ({1: "x"}, "the header 1 has a name"),
        ({"a": None}, "the header 'a' is of type NoneType, not a string"),
        ({"a": "\ud800"}, "the header 'a' has a lone surrogate"),
        ({"a": "x" * MAX_SIZE}, "headers have 16385 bytes in all: 16384 are the most"),
        (
            {"JobQueue-a": "x"},
            "the header 'JobQueue-a' can't be set: names that begin with",
        ),
    ],
)
def test_refused_at_once(queue: JobQueue, headers: Any, problem: str) -> None:
    @queue.task("t")
    def work() -> None: ...

    with pytest.raises(OptionError, match=f"^{problem}"):
        work.options(headers=headers)


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ("null", '"headers" is not an object'),
        ('["a"]', '"headers" is not an object'),
        ('{"a":1}', "a header is of type int, not a string"),
        ('{"secret stuff":"x"}', "a header has a name that HTTP does not take"),
        ('{"a":"%s"}' % ("x" * MAX_SIZE), "its headers have 16385 bytes in all"),
    ],
)
def test_bodies_with_bad_ones(headers: str, problem: str) -> None:
    """The reason shows nothing of what is in the body."""
    with pytest.raises(BadJobError, match=f"^{problem}") as refused:
        decode(f'{START},"headers":{headers}}}'.encode())
    assert "secret" not in str(refused.value)


def test_bodies_of_other_programs() -> None:
    """The keys may be in any order, and an empty object is none."""
    signature = '"signature":"00"'
    for more in ('"headers":{"a":"b"}', f'{signature},"headers":{{"a":"b"}}'):
        assert decode(f"{START},{more}}}".encode()).headers == {"a": "b"}
    assert decode(f'{START},"headers":{{}}}}'.encode()).headers == {}
    for more in (f"{signature},{signature[:-4]}s", '"header":{}', '"headers":{},"x":1'):
        with pytest.raises(BadJobError):
            decode(f"{START},{more}}}".encode())


def test_signed(broker: Beanstalkd) -> None:
    """A job whose headers were changed is buried."""
    queue = JobQueue(broker.url, secret="correct-horse-battery")
    seen: list[dict[str, str]] = []
    buried: list[BuriedJob] = []
    queue.on_buried(lambda job, _: buried.append(job))

    @queue.task("t")
    def work() -> None:
        seen.append(current_job().headers)

    with queue, broker.client("t") as client:
        job_id = work.options(headers=HEADERS).put()
        forged = client.put(client.peek(job_id).body.replace(b'"4f"', b'"4e"'))
        Worker(["t"], burst=True).run()

    assert seen == [HEADERS]
    assert [(job.id, job.headers) for job in buried] == [
        (forged, HEADERS | {"request-id": "4e"})
    ]


def test_pickled(broker: Beanstalkd, queue: JobQueue) -> None:
    """A copy of a task, and a job, keep them on their way to another process."""

    @queue.task("t")
    def work() -> None:
        assert pickle.loads(pickle.dumps(current_job())).headers == HEADERS

    globals()["work"] = work
    work.__wrapped__.__qualname__ = work.__qualname__ = "work"
    try:
        pickle.loads(pickle.dumps(work.options(headers=HEADERS))).put()
    finally:
        del globals()["work"]

    assert [job.error for job in run_jobs(broker.url)] == [None]


def test_eager(queue: JobQueue) -> None:
    seen: list[dict[str, str]] = []

    @queue.task("t")
    def work() -> None:
        seen.append(current_job().headers)

    queue.before_put(lambda job: job.headers.update(HEADERS))
    with eager():
        work.put()

    assert seen == [HEADERS]


def test_operators_keep_them(
    broker: Beanstalkd, queue: JobQueue, tmp_path: Path
) -> None:
    """They are shown, and stay with a job that is exported, or put again."""

    @queue.task("t", max_kicks=0)
    def hopeless() -> None:
        raise ValueError

    job_id = hopeless.options(headers=HEADERS).put()
    file = tmp_path / "jobs"
    file.write_text(operate(broker, "export", "t").stdout)
    shown = operate(broker, "show", job_id).stdout
    assert '"request-id": "4f"' in shown
    (listed,) = json_lines(operate(broker, "list", "t", "--json").stdout)
    assert listed["headers"] == HEADERS
    run_jobs(broker.url, reraise=False)  # which deletes it, and leaves no note
    operate(broker, "import", file)
    Worker(["t"], burst=True).run()  # which leaves one, with the job's body
    note = queue.operator.failures("t")[0]

    again = operate_json(broker, "put", "--failed", note.job_id)["id"]

    job = queue.operator.job(again)
    assert job is not None
    assert job.headers == HEADERS
