"""`python -m jobqueue.worker`: its options, its errors, and how it stops."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import jobqueue
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_process import WorkerProcess, copy_app, write_module


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    copy_app("command_line", tmp_path)
    return tmp_path


def worker(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobqueue.worker", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def put(app: Path, call: str) -> None:
    script = f"import tasks; tasks.{call}"
    subprocess.run([sys.executable, "-c", script], cwd=app, check=True)


def test_version_and_help(app: Path) -> None:
    assert worker("--version", cwd=app).stdout == f"jobqueue {jobqueue.__version__}\n"
    helped = worker("--help", cwd=app).stdout
    for option in ("--tube", "--import", "--url", "--burst", "--shutdown-timeout"):
        assert option in helped
    assert all(len(line) <= 80 for line in helped.splitlines())


BROKEN = {
    "missing_import": "import no_such_module",
    "syntax": "def f(:",
    "raises": "def f():\n    raise RuntimeError('the real cause')\nf()",
    "exits": "raise SystemExit('out')",
    "bad_tube": "from jobqueue import JobQueue\nJobQueue.task('a b')",
    "empty": "",
    "noted": "e = ValueError('the cause')\ne.add_note('see docs')\nraise e",
    "lines": "raise ValueError('the cause\\nand more')",
    "cancelled": "import asyncio\nraise asyncio.CancelledError",
}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("--import noted", "can't import noted: ValueError: the cause (noted.py,"),
        ("--import lines", "can't import lines: ValueError: the cause (lines.py,"),
        ("--import cancelled", "can't import cancelled: CancelledError (cancelled.py"),
        ("--import nope", "can't import nope: ModuleNotFoundError: No module named"),
        ("--import missing_import", "No module named 'no_such_module' ("),
        ("--import syntax", "SyntaxError: invalid syntax (syntax.py, line 1)"),
        ("--import raises", "RuntimeError: the real cause (raises.py, line 2)"),
        ("--import exits", "can't import exits: SystemExit: out (exits.py, line 1)"),
        ("--import bad_tube", "TubeNameError: 'a b' is not a tube name"),
        ("--import bad_tube", "(bad_tube.py, line 2)"),
        ("--import tasks.py", "can't import tasks.py: give the module's dotted name"),
        ("--import .tasks", "can't import .tasks: "),
        ("--import empty", "no task is registered"),
        ("", "(on the command line: --import app.tasks)"),
        ("--tube t", "(on the command line: --import app.tasks)"),
        ("--import tasks --tube x", "no task is registered in tube 'x'"),
        ("--import tasks --tube -x", "expected one argument"),
        ("--import tasks --url h", "'h' is not a broker's URL"),
        ("--import tasks --url redis://:s3cret@h", "'redis://***@h' is not a broker's"),
        ("--import tasks redis://:s3cret@h", "arguments: redis://***@h"),
        ("--import tasks --shutdown-timeout -1", "'-1' is not a number of seconds"),
        ("--import tasks --shutdown-timeout nan", "'nan' is not a number of seconds"),
        ("--import tasks --log-level loud", "invalid choice: 'loud'"),
        ("--nonsense", "unrecognized arguments: --nonsense"),
    ],
)
def test_wrong_use(app: Path, arguments: str, error: str) -> None:
    """The command exits with status 2 and one clear line."""
    for name, source in BROKEN.items():
        write_module(app, name, source)

    done = worker(*arguments.split(), cwd=app)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("python -m jobqueue.worker: error: ")
    assert error in line.replace(f"{app}/", "").replace(f"{app.resolve()}/", "")
    assert done.stdout == ""


def test_wrong_url_in_the_environment(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEANSTALKD_URL", "h")

    done = worker("--import", "tasks", cwd=app)

    assert done.returncode == 2
    assert "'h' is not a broker's URL" in done.stderr


def test_burst(app: Path, broker: Beanstalkd) -> None:
    for _ in range(3):
        put(app, "work.put()")

    done = worker("--import", "tasks", "--burst", "--log-level", "warning", cwd=app)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "started 0\nworked\nbuffered\n" * 3
    assert broker.connections() == 0


def test_start_is_logged(app: Path, broker: Beanstalkd) -> None:
    """With the tubes, the tasks and the broker."""
    with WorkerProcess(app, "--import", "tasks") as process:
        process.says(
            "INFO Worker started: tubes t, u; tasks work, leave_a_thread, "
            "close_stderr, terminate_a_forked_child; "
            f"broker {broker.url}"
        )


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_idle_worker_stops(
    app: Path, broker: Beanstalkd, signum: signal.Signals
) -> None:
    with WorkerProcess(app, "--import", "tasks") as process:
        eventually(lambda: broker.waiting("t"), 1)
        process.signal(signum)
        assert process.exit_code(5) == 0
    assert process.log.endswith("INFO Worker stopped\n")
    assert "Traceback" not in process.log


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_busy_worker_stops(
    app: Path, broker: Beanstalkd, signum: signal.Signals
) -> None:
    """A worker finishes its job at a signal, and takes no other."""
    put(app, "work.put(seconds=1)")
    put(app, "work.put()")
    with WorkerProcess(app, "--import", "tasks") as process:
        eventually(lambda: broker.counts("t"), {"ready": 1, "reserved": 1})
        process.says("started 1")
        process.signal(signum)
        process.says("Stopping, as soon as job 1 is finished")
        assert process.exit_code() == 0

    assert process.log.count("worked") == 1
    assert broker.counts("t") == {"ready": 1}
    assert broker.stats_job(2)["reserves"] == 0


def test_left_thread(app: Path, broker: Beanstalkd) -> None:
    """A thread that a task has left is waited for no longer than a job."""
    put(app, "leave_a_thread.put()")
    arguments = ("--import", "tasks", "--burst", "--shutdown-timeout", "0.5")
    with WorkerProcess(app, *arguments) as process:
        assert process.exit_code(15) == 0

    assert "Not waiting any longer for threads: left" in process.log
    assert broker.connections() == 0


def test_output_is_flushed(app: Path, broker: Beanstalkd) -> None:
    """The output of finished jobs is kept when the worker abandons another job."""
    put(app, "work.put()")
    put(app, "work.put(seconds=60)")
    arguments = ("--import", "tasks", "--shutdown-timeout", "0")
    with WorkerProcess(app, *arguments, PYTHONUNBUFFERED="") as process:
        process.says("Job 1 done")
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        process.says("started 60")
        process.signal(signal.SIGTERM)
        assert process.exit_code(10) == 0

    assert "buffered" in process.log


def test_blocked_log(app: Path, broker: Beanstalkd) -> None:
    """A worker stops even if nobody reads its log."""
    put(app, "work.put(seconds=60)")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    command = [sys.executable, "-m", "jobqueue.worker", "--import", "tasks"]
    with subprocess.Popen(
        [*command, "--log-level", "warning", "--shutdown-timeout", "0.5"],
        cwd=app,
        stderr=writer,
    ) as process:
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    os.close(reader)
    os.close(writer)


def test_closed_stderr(app: Path, broker: Beanstalkd) -> None:
    """A task that closes standard error does not stop the worker."""
    put(app, "close_stderr.put()")
    put(app, "work.put()")
    with WorkerProcess(app, "--import", "tasks") as process:
        eventually(lambda: broker.counts("t"), {})
        eventually(lambda: broker.waiting("t"), 1)
        process.signal(signal.SIGTERM)
        assert process.exit_code(10) == 0


def test_module_configures_logging(app: Path, broker: Beanstalkd) -> None:
    """The worker logs even if the module configures logging."""
    configure = "import logging.config\nlogging.config.dictConfig({'version': 1})\n"
    write_module(app, "tasks", configure + (app / "tasks.py").read_text())
    put(app, "work.put()")

    done = worker("--import", "tasks", "--burst", cwd=app)

    assert "Job 1 done" in done.stderr
    assert broker.counts("t") == {}


def test_second_signal(app: Path, broker: Beanstalkd) -> None:
    """A second signal ends the worker without waiting for its job."""
    put(app, "work.put(seconds=60)")
    with WorkerProcess(app, "--import", "tasks") as process:
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        process.says("started 60")
        process.signal(signal.SIGTERM)
        process.says("Stopping, as soon as job 1 is finished")

        def is_ended_by_a_signal() -> bool:
            process.signal(signal.SIGTERM)  # it counts a second after the first
            return process.process.poll() is not None

        eventually_true(is_ended_by_a_signal)
        assert process.exit_code() == 0

    assert "Stopping without waiting for job 1" in process.log
    assert "another worker: a second signal\n" in process.log
    eventually(lambda: broker.counts("t"), {"ready": 1})


def test_shutdown_timeout(app: Path, broker: Beanstalkd) -> None:
    put(app, "work.put(seconds=60)")
    arguments = ("--import", "tasks", "--shutdown-timeout", "0.5")
    with WorkerProcess(app, *arguments) as process:
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        process.says("started 60")
        process.signal(signal.SIGTERM)
        assert process.exit_code(10) == 0

    assert "Stopping without waiting for job 1" in process.log
    assert "the shutdown timeout of 0.5 s is over\n" in process.log
    eventually(lambda: broker.counts("t"), {"ready": 1})


def test_stops_without_broker(app: Path, broker: Beanstalkd) -> None:
    broker.kill()
    with WorkerProcess(app, "--import", "tasks") as process:
        process.says("Waiting for the broker")
        process.signal(signal.SIGTERM)
        assert process.exit_code(5) == 0


def test_stops_with_frozen_broker(app: Path, broker: Beanstalkd) -> None:
    with WorkerProcess(app, "--import", "tasks") as process:
        eventually(lambda: broker.waiting("t"), 1)
        broker.signal(signal.SIGSTOP)
        process.signal(signal.SIGTERM)
        assert process.exit_code(5) == 0


def test_forked_child_is_signalled(app: Path, broker: Beanstalkd) -> None:
    """A child process that a task forks does not inherit the worker's handlers."""
    put(app, "terminate_a_forked_child.put()")
    with WorkerProcess(app, "--import", "tasks") as process:
        process.says(f"child ended with -{signal.SIGTERM.value}")
        eventually(lambda: broker.waiting("t"), 1)
        assert process.process.poll() is None
        assert "Stopping" not in process.log


def test_killed_worker_loses_no_job(app: Path, broker: Beanstalkd) -> None:
    put(app, "work.put(seconds=60)")
    with WorkerProcess(app, "--import", "tasks") as process:
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        process.signal_all(signal.SIGKILL)
        assert process.exit_code() == -signal.SIGKILL

    eventually(lambda: broker.counts("t"), {"ready": 1})


def test_handlers_are_restored(app: Path) -> None:
    script = """
import signal, tasks
from jobqueue import Worker
def mine(*args): ...
signal.signal(signal.SIGTERM, mine)
before = signal.getsignal(signal.SIGINT)
Worker(burst=True).run()
assert signal.getsignal(signal.SIGTERM) is mine
assert signal.getsignal(signal.SIGINT) is before
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("fine\n", "")
