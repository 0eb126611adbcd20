"""The limits of an attacker who reaches the broker's port and can put any job."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import BadJobError, JobQueue, OptionError, SignatureError, Worker
from jobqueue.job.signing import Signing
from jobqueue.testing import eager, run_jobs
from jobqueue.worker.running.executor import Executor
from tests.helpers.reserved import Reserved, execute
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.strategies import json_objects
from tests.helpers.terminal import operate, operate_in_a_process
from tests.helpers.worker_process import WorkerProcess, write_module

SECRET = "correct-horse-battery"
OTHER = "another-horse-battery"


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def body_of(func_name: object, tube: object = "t", **kwargs: object) -> bytes:
    job = {"func_name": func_name, "tube": tube, "kwargs": kwargs}
    return json.dumps(job).encode()


def put_raw(broker: Beanstalkd, body: bytes, tube: str = "t") -> int:
    with broker.client(tube) as client:
        return client.put(body)


# A job calls what was registered for a tube that the worker watches, and nothing else.


@pytest.fixture
def ran() -> list[str]:
    """Register three tasks, and return what of them has run."""
    ran: list[str] = []

    @JobQueue.task("t")
    def send(to: str = "") -> None:
        ran.append(f"send {to}")

    @JobQueue.task("t")
    def anything(**kwargs: object) -> None:
        ran.append(f"anything {sorted(kwargs)}")

    @JobQueue.task("private")
    def private() -> None:
        ran.append("private")

    return ran


NAMES = [
    # of Python's own
    "print",
    "eval",
    "exec",
    "__import__",
    "builtins.eval",
    "os.system",
    "os:system",
    "subprocess.run",
    "lambda: 0",
    "print(1)",
    # of modules, and ways into them
    "jobqueue",
    "jobqueue.Worker",
    "tests.test_keeping_out",
    "tests.test_keeping_out.put_raw",
    "put_raw",
    "../send",
    # of what a task is
    "__call__",
    "__class__",
    "__init__",
    "__globals__",
    "__wrapped__",
    "send.__globals__",
    "send.__wrapped__",
    "send.put",
    "put",
    "func",
    "Task",
    # of the map, and nearly of a task
    "register",
    "keys",
    "private",
    "Send",
    "send ",
    " send",
    "send\0",
    "send\n",
    "\uff53end",  # NFKC would make it send, as Python does with names
    "se\u00adnd",
    "\ud800",
    "",
]


@pytest.mark.parametrize("func_name", NAMES)
def test_unknown_function(func_name: str, ran: list[str], executor: Executor) -> None:
    execution = execute(executor, Reserved(body_of(func_name)))

    assert isinstance(execution.error, BadJobError)
    assert execution.task is None
    assert ran == []


@given(st.text(), st.text(), json_objects)
def test_any_function_name(
    func_name: str, tube: str, kwargs: dict[str, object]
) -> None:
    asked = []

    def find(*names: str) -> None:
        asked.append(names)

    executor = Executor(find, None, None)  # type: ignore[arg-type]
    job = {"func_name": func_name, "tube": tube, "kwargs": kwargs}
    execution = execute(executor, Reserved(json.dumps(job).encode()))

    assert isinstance(execution.error, BadJobError)
    assert asked == [(tube, func_name)]


@pytest.mark.parametrize(
    "names",
    [
        ["self"],
        ["cls"],
        ["func", "task", "job", "args", "kwargs"],
        ["__class__", "__dict__", "__globals__", "__builtins__"],
        ["*", "/", "", " ", "a.b", "print(1)", "\0", "\ud800"],
    ],
)
def test_any_argument_name(
    names: list[str], ran: list[str], executor: Executor
) -> None:
    kwargs = dict.fromkeys(names, 1)
    for func_name in ("send", "anything"):
        job = {"func_name": func_name, "tube": "t", "kwargs": kwargs}
        execute(executor, Reserved(json.dumps(job).encode()))

    assert ran == [f"anything {sorted(names)}"]


def test_log_injection(
    broker: Beanstalkd, ran: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    forged = "x'\n2026-11-23 20:15:07,310 INFO Job 1 done: \x1b[2J"
    put_raw(broker, body_of("send", **{forged: 1}))
    put_raw(broker, body_of(forged))
    put_raw(broker, body_of("send", tube=forged))
    Worker(["t"], url=broker.url, burst=True).run()

    assert broker.counts("t") == {"buried": 3}
    assert ran == []
    buried = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(buried) == 3
    assert all(message.isprintable() for message in buried)


def test_other_tube(broker: Beanstalkd, ran: list[str]) -> None:
    put_raw(broker, body_of("private", tube="private"))
    put_raw(broker, body_of("send", tube="private"))
    put_raw(broker, body_of("private"))
    put_raw(broker, body_of("send", to="ada"))
    Worker(["t"], url=broker.url, burst=True).run()

    assert ran == ["send ada"]
    assert broker.counts("t") == {"buried": 3}


# Signed jobs.


def work_off(broker: Beanstalkd, *tubes: str) -> None:
    Worker(tubes, url=broker.url, burst=True).run()


def test_unsigned_jobs_are_buried(
    broker: Beanstalkd, caplog: pytest.LogCaptureFixture
) -> None:
    ran = []
    with JobQueue(broker.url, secret=SECRET) as queue:

        @queue.task("t")
        def send(to: str) -> None:
            ran.append(to)

        send.put("ada")
        send.put_many([{"to": "bob"}, {"to": "eve"}])
        signed = Signing(SECRET).sign(body_of("send", to="ada"))
        forged = [
            body_of("send", to="mallory"),
            Signing(OTHER).sign(body_of("send", to="mallory")),
            signed.replace(b"ada", b"mallory"),
        ]
        ids = [put_raw(broker, body) for body in forged]
        work_off(broker)

    assert ran == ["ada", "bob", "eve"]
    assert broker.counts("t") == {"buried": 3}
    errors = [r for r in caplog.records if r.levelname == "ERROR"]
    assert ids == [r.__dict__["job_id"] for r in errors]
    assert "Job 4 buried: it can't be run (tube t): it is not signed" in caplog.text
    assert "its signature is wrong" in errors[1].getMessage()
    assert "its signature is wrong" in errors[2].getMessage()
    for never in (SECRET, "mallory", "kwargs", *(b.decode()[-66:-2] for b in forged)):
        assert never not in caplog.text


@pytest.mark.parametrize("tubes", [["u"], ["t", "u"]])
@pytest.mark.parametrize("claims", ["t", "u"])
def test_replay_into_another_tube(
    tubes: list[str], claims: str, broker: Beanstalkd, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []
    queue = JobQueue(broker.url, secret=SECRET)
    for tube in ("t", "u"):
        queue.task(tube)(send_of(ran))
    stolen = Signing(SECRET).sign(body_of("send", "t", to="ada"))
    put_raw(
        broker, stolen.replace(b'"tube": "t"', b'"tube": "%s"' % claims.encode()), "u"
    )
    work_off(broker, *tubes)

    assert ran == []
    assert broker.counts("u") == {"buried": 1}
    if (tubes, claims) == (["t", "u"], "t"):
        assert "(tube u): it was signed for tube 't', not for this one" in caplog.text


def send_of(ran: list[str]) -> Callable[[str], None]:
    def send(to: str) -> None:
        ran.append(to)

    return send


def test_several_tubes(
    broker: Beanstalkd,
) -> None:
    ran: list[str] = []
    with JobQueue(broker.url, secret=SECRET) as queue:
        for tube in ("t", "u"):
            queue.task(tube)(send_of(ran)).put(tube)
        work_off(broker)

    assert sorted(ran) == ["t", "u"]


def test_worker_without_secret(
    broker: Beanstalkd,
) -> None:
    ran: list[str] = []
    JobQueue(broker.url).task("t")(send_of(ran))
    for body in (body_of("send", to="plain"), body_of("send", to="signed")):
        put_raw(broker, Signing(OTHER).sign(body) if b"signed" in body else body)
    work_off(broker)

    assert ran == ["plain", "signed"]


def test_secrets_of_queues(broker: Beanstalkd) -> None:
    ran: list[str] = []
    for tube, secret in (("t", SECRET), ("u", OTHER), ("v", None)):
        JobQueue(broker.url, secret=secret).task(tube)(send_of(ran))
        for key in (SECRET, OTHER):
            put_raw(
                broker,
                Signing(key).sign(body_of("send", tube, to=f"{tube}{key}")),
                tube,
            )
        put_raw(broker, body_of("send", tube, to=tube), tube)
    work_off(broker)

    expected = [f"t{SECRET}", f"u{OTHER}", "v", f"v{OTHER}", f"v{SECRET}"]
    assert expected == sorted(ran)


def test_signing_a_buried_job(
    broker: Beanstalkd,
) -> None:
    ran: list[str] = []
    JobQueue(broker.url, secret=SECRET).task("t")(send_of(ran))
    put = ["put", "t", "send", "to=ada"]
    assert operate(broker, *put).returncode == 0
    work_off(broker)
    secrets = f"{SECRET} {OTHER}"
    assert operate_in_a_process(broker, *put, JOBQUEUE_SECRET=secrets).returncode == 0
    work_off(broker)

    assert ran == ["ada"]
    assert broker.counts("t") == {"buried": 1}


def test_weak_secret(
    broker: Beanstalkd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = "s3cret"
    done = operate_in_a_process(broker, "put", "t", "send", JOBQUEUE_SECRET=weak)
    assert done.returncode == 2
    assert "error: $JOBQUEUE_SECRET is too short" in done.stderr
    assert weak not in done.stderr
    assert broker.counts("t") == {}

    write_module(tmp_path, "tasks", TASKS)
    with WorkerProcess(tmp_path, "--import", "tasks", JOBQUEUE_SECRET=weak) as worker:
        assert worker.exit_code() == 2
    assert "error: $JOBQUEUE_SECRET is too short" in worker.log
    assert weak not in worker.log

    monkeypatch.setenv("JOBQUEUE_SECRET", weak)
    JobQueue(broker.url).task("t")(send_of([]))
    with pytest.raises(OptionError):
        Worker()


TASKS = """
from jobqueue import JobQueue

@JobQueue().task("t")
def send(to):
    print("sent to", to, flush=True)

@JobQueue().task("open")
def knock():
    print("knocked", flush=True)
"""


@pytest.mark.parametrize("processes", ["1", "2"])
def test_secret_in_the_environment(
    processes: str, broker: Beanstalkd, tmp_path: Path
) -> None:
    write_module(tmp_path, "tasks", TASKS)
    put_raw(broker, body_of("send", to="mallory"))
    put_raw(broker, Signing(SECRET).sign(body_of("send", to="ada")))
    with WorkerProcess(
        tmp_path,
        *["--import", "tasks", "--processes", processes, "--log-level", "debug"],
        BEANSTALKD_URL=broker.url,
        JOBQUEUE_SECRET=f"{OTHER} {SECRET}",
    ) as worker:
        worker.says("sent to ada")
        eventually(lambda: broker.counts("t"), {"buried": 1})
        worker.says("buried: it can't be run (tube t): it is not signed")

    assert "tasks send, knock" in worker.log
    assert f"broker {broker.url}; signed jobs only\n" in worker.log
    for never in (SECRET, OTHER, "mallory"):
        assert never not in worker.log


def test_signed_tasks_in_the_log(
    broker: Beanstalkd, caplog: pytest.LogCaptureFixture
) -> None:
    JobQueue(broker.url, secret=SECRET).task("t")(send_of([]))
    JobQueue(broker.url).task("u")(send_of([]))
    work_off(broker, "u")
    assert "signed" not in caplog.text
    work_off(broker, "t", "u")
    assert f"broker {broker.url}; signed jobs only of send\n" in f"{caplog.text}\n"


def test_testing_with_a_secret(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBQUEUE_SECRET", SECRET)
    ran: list[str] = []
    with JobQueue(broker.url) as queue:
        send = queue.task("t")(send_of(ran))
        with eager():
            send.put("ada")
        send.put("bob")
        forged = put_raw(broker, body_of("send", to="mallory"))
        jobs = run_jobs(broker.url, reraise=False)

    assert ran == ["ada", "bob"]
    assert [job.kwargs for job in jobs] == [{"to": "bob"}, {"to": "mallory"}]
    assert jobs[1].id == forged
    assert isinstance(jobs[1].error, SignatureError)


def test_operators_see_signed_jobs(broker: Beanstalkd) -> None:
    with JobQueue(broker.url, secret=SECRET) as queue:
        queue.task("t")(send_of([])).put("ada")

    assert '  send to="ada"  ' in operate(broker, "list", "t").stdout
    assert '"signature": "' in operate(broker, "show", "1").stdout


def test_moved_to_another_server(broker: Beanstalkd, socket_folder: Path) -> None:
    ran: list[str] = []
    with JobQueue(broker.url, secret=SECRET) as queue:
        queue.task("t")(send_of(ran)).put("ada")
    exported = operate(broker, "export", "t").stdout.encode()
    with Beanstalkd(socket_folder / "c.sock") as other:
        assert operate(other, "import", stdin=exported).returncode == 0
        work_off(other)

    assert ran == ["ada"]
