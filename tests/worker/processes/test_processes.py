"""A worker in one thread, in several, and in several processes: real signals."""

import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.helpers.servers import DEADLINE, Beanstalkd, eventually
from tests.helpers.worker_process import (
    WorkerProcess,
    copy_app,
    write_module,
)

OPTIONS = {
    "1x1": (),
    "1x8": ("--threads=8",),
    "2x1": ("--processes=2",),
    "2x4": ("--processes=2", "--threads=4"),
}
SHAPES = ["1x1", "1x8", "2x4"]
SLOTS = {"1x1": 1, "1x8": 8, "2x4": 8}

Start = Callable[..., WorkerProcess]


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    copy_app("processes", tmp_path)
    return tmp_path


def start(
    app: Path, shape: str, *arguments: str, wrapped_in: Sequence[str] = ()
) -> WorkerProcess:
    return WorkerProcess(
        app,
        *("--import", "tasks", "--tube", "t", *OPTIONS[shape], *arguments),
        wrapped_in=wrapped_in,
    )


def put(app: Path, *calls: str) -> None:
    script = "import tasks\n" + "\n".join(f"tasks.{call}" for call in calls)
    subprocess.run([sys.executable, "-c", script], cwd=app, check=True)


def is_working(broker: Beanstalkd, shape: str, tube: str = "t") -> None:
    eventually(lambda: broker.waiting(tube), SLOTS[shape])


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_idle_worker_stops(
    app: Path, broker: Beanstalkd, shape: str, signum: signal.Signals
) -> None:
    with start(app, shape) as process:
        is_working(broker, shape)
        process.signal(signum)

        assert process.exit_code() == 0
    assert broker.connections() == 0
    assert process.running_pids() == []
    assert "Traceback" not in process.log


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_busy_worker_stops(
    app: Path, broker: Beanstalkd, shape: str, signum: signal.Signals
) -> None:
    """A worker finishes its jobs at a signal, and takes no others."""
    slots = SLOTS[shape]
    put(app, f"work.put_many([dict(seconds=1, n=n) for n in range({slots + 3})])")
    with start(app, shape) as process:
        eventually(lambda: process.log.count("begins"), slots)
        process.signal(signum)

        assert process.exit_code() == 0
    assert process.log.count("ends") == slots
    assert broker.counts("t") == {"ready": 3}
    assert process.running_pids() == []


def test_signal_to_the_group(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A terminal's Ctrl-C and a service manager signal the whole process group."""
    put(app, "work.put(seconds=1)")
    with WorkerProcess(
        app, "--import", "tasks", *OPTIONS[shape], new_group=True
    ) as process:
        process.says("begins")
        os.killpg(process.process.pid, signal.SIGINT)

        assert process.exit_code() == 0
    assert process.log.count("ends") == 1
    assert broker.counts("t") == {}


def test_second_signal(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A second signal ends the worker without waiting for its jobs."""
    put(app, "work.put(seconds=600)")
    with start(app, shape) as process:
        process.says("begins")
        process.signal(signal.SIGTERM)
        process.says("Stopping, as soon as job 1 is finished")
        process.signal(signal.SIGINT)

        assert process.exit_code() == 0
    eventually(lambda: broker.counts("t"), {"ready": 1})
    assert process.running_pids() == []


def test_shutdown_timeout(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A job that does not end in time is ready again."""
    put(app, "work.put(seconds=600)")
    with start(app, shape, "--shutdown-timeout", "0.2") as process:
        process.says("begins")
        process.signal(signal.SIGTERM)

        assert process.exit_code() == 0
    assert "Stopping without waiting for job 1" in process.log
    eventually(lambda: broker.counts("t"), {"ready": 1})
    assert process.running_pids() == []


def test_killed_supervisor(app: Path, broker: Beanstalkd, shape: str) -> None:
    """Its processes finish their jobs, and end."""
    put(app, "work.put(seconds=4)")
    with start(app, shape) as process:
        process.says("begins")
        is_working_but_one = SLOTS[shape] - 1
        eventually(lambda: broker.waiting("t"), is_working_but_one)
        process.signal(signal.SIGKILL)
        process.exit_code()

        eventually(process.running_pids, [])
        eventually(broker.connections, 0)
    done = SLOTS[shape] > 1 and len(process.pids()) > 1
    assert broker.counts("t") == ({} if done else {"ready": 1})


@pytest.mark.parametrize("signums", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGINT]])
def test_blocked_log(
    app: Path, broker: Beanstalkd, shape: str, signums: list[signal.Signals]
) -> None:
    """A worker stops even if nobody reads its log."""
    put(app, "work.put_many([{}] * 3000)")
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "jobqueue.worker", "--import", "tasks"]
    with subprocess.Popen(
        [*command, "--shutdown-timeout", "1", *OPTIONS[shape]],
        cwd=app,
        stderr=writing,
        stdout=subprocess.DEVNULL,
    ) as process:
        eventually(lambda: select.select([], [writing], [], 0)[1], [])  # it is full
        for signum in signums:
            process.send_signal(signum)

        assert process.wait(DEADLINE) == 0
        eventually(broker.connections, 0)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_process_dies_when_idle(
    app: Path, broker: Beanstalkd, how: signal.Signals
) -> None:
    """The supervisor replaces it, and the other process goes on with its job."""
    put(app, "work.put(seconds=3, n=1)")
    with start(app, "2x4") as process:
        process.says("begins 1")
        is_working_but_one = SLOTS["2x4"] - 1
        eventually(lambda: broker.waiting("t"), is_working_but_one)
        first = set(process.pids())
        (busy,) = map(int, re.findall(r"begins 1 in (\d+)", process.log))
        (idle,) = first - {busy}
        os.kill(idle, how)
        eventually(lambda: len(process.pids()), 3)
        eventually(lambda: broker.waiting("t"), is_working_but_one)
        process.says("ends 1")
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    assert process.log.count("begins 1 ") == 1
    assert broker.counts("t") == {}
    if how != signal.SIGTERM:
        died = (
            rf"Process \d \(pid {idle}\) was killed by {how.name} while it ran no job"
        )
        assert re.search(died, process.log)


def test_process_dies_with_a_job(app: Path, broker: Beanstalkd) -> None:
    """The log names the job, and the pause before the process is replaced."""
    put(app, "die.options(priority=0).put(how=9)")
    with start(app, "2x4") as process:
        process.says(
            "was killed by SIGKILL while it ran job 1; another takes its place"
        )
        eventually(lambda: process.log.count("dies in") > 3, expected=True)
        process.says("another takes its place in ")  # growing pauses
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGINT)

        assert process.exit_code() == 0
    eventually(lambda: broker.counts("t"), {"ready": 1})


@pytest.mark.parametrize("arguments", [(), ("--burst",)])
def test_processes_cannot_start(app: Path, arguments: tuple[str, ...]) -> None:
    """The worker exits with one message, not with one for each process."""
    write_module(app, "broken", "raise RuntimeError('the cause')")
    worker = [sys.executable, "-m", "jobqueue.worker", "--processes=4"]
    done = subprocess.run(
        [*worker, "--import", "broken", "--log-level", "error", *arguments],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "can't import broken: RuntimeError: the cause" in done.stderr


def test_burst(app: Path, broker: Beanstalkd, shape: str) -> None:
    put(app, "work.put_many([{}] * 100)")
    with start(app, shape, "--burst") as process:
        assert process.exit_code() == 0

    assert process.log.count("ends") == 100
    assert broker.counts("t") == {}


def test_max_jobs(app: Path, broker: Beanstalkd, shape: str) -> None:
    put(app, "work.put_many([{}] * 100)")
    with start(app, shape, "--max-jobs", "10") as process:
        eventually(lambda: process.log.count("ends"), 100)
        is_working(broker, shape)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    ran_in = re.findall(r"begins 0 in (\d+)", process.log)
    threads = int(shape.partition("x")[2])
    # What else runs at the end of the tenth goes on, or may just have been asked for.
    least = math.ceil(100 / (10 + 2 * (threads - 1)))
    assert process.log.count("Worker started") >= least
    if shape == "2x4":
        assert len(set(ran_in)) >= least
    else:
        assert set(ran_in) == {str(process.process.pid)}
    assert broker.counts("t") == {}
    assert "ERROR" not in process.log


STOPS_AT_ITS_LIMIT = ["spin", "asleep"]
IS_STUCK = ["sleep", "swallow", "swallow_async", "block_the_loop", "in_c"]


def history(broker: Beanstalkd, job_id: int) -> tuple[str, int]:
    stats = broker.stats_job(job_id)
    return stats["state"], stats["reserves"]


@pytest.mark.parametrize("task", STOPS_AT_ITS_LIMIT + IS_STUCK)
@pytest.mark.parametrize("shape", ["1x1", "2x4"])
def test_time_limit(app: Path, broker: Beanstalkd, shape: str, task: str) -> None:
    """A job past its time limit is buried, and the worker goes on."""
    put(app, f"{task}.put()")
    with start(app, shape, "--tube", "limited") as process:
        eventually(lambda: history(broker, 1), ("buried", 1))
        put(app, "work.put(n=7)")
        process.says("ends 7")
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    if task in STOPS_AT_ITS_LIMIT:
        buried = f"Job 1 buried after attempt 1 of 1: {task} (tube limited) after "
        why = "TimeLimitExceeded: it ran for longer than 0.5 s"
        assert re.search(re.escape(buried) + r"0.\d+ s: " + why, process.log)
    else:
        assert f"Job 1 buried: {task} (tube limited) did not stop within 5 s" in (
            process.log
        )
        assert "It is here:" in process.log
    assert broker.connections() == 0


def test_signal_while_replacing(app: Path, broker: Beanstalkd) -> None:
    """A signal is not lost that comes while a process replaces itself for a stuck job.

    The kernel delivers it to the thread of the stuck job, as the main thread blocks it.
    Python would only note it there, and the note would be gone with the program.
    """
    with (app / "tasks.py").open("a") as file:
        file.write(
            "def signal_and_execv(*args):\n"
            "    os.kill(os.getpid(), signal.SIGTERM)\n"
            "    time.sleep(60)\n"
            "os.execv = signal_and_execv\n"
        )
    put(app, "in_c.put()")
    with start(app, "1x1", "--tube", "limited") as process:
        assert process.exit_code() == -signal.SIGTERM

    assert process.log.count("Worker started") == 1
    assert history(broker, 1) == ("buried", 1)


def test_job_holds_the_interpreter(
    app: Path,
) -> None:
    """No thread of the process can bury the job, so the supervisor kills it."""
    put(app, "hold_the_interpreter.put()")
    with start(app, "2x1", "--tube", "limited") as process:
        process.says("is killed: job 1 has not ended long after its time limit")
        process.says("was killed by SIGKILL while it ran job 1")
        put(app, "work.put()")
        process.says("ends")
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGINT)
        process.exit_code()
        eventually(process.running_pids, [])


def test_suspended_past_the_time_limit(app: Path, broker: Beanstalkd) -> None:
    """As with Ctrl-Z: afterwards the process has time to interrupt the job."""
    put(app, "work.put(seconds=600)", "work.options(delay=16).put()")
    options = ("--processes=2", "--time-limit=2")
    with WorkerProcess(
        app, "--import", "tasks", "--tube", "t", *options, new_group=True
    ) as process:
        process.says("begins")
        eventually(lambda: broker.waiting("t"), 1)
        os.killpg(process.process.pid, signal.SIGSTOP)
        eventually(lambda: broker.counts("t"), {"reserved": 2})
        os.killpg(process.process.pid, signal.SIGCONT)
        process.says("TimeLimitExceeded: it ran for longer than 2 s")
        process.says("ends")
        assert "is killed" not in process.log
    assert history(broker, 1) == ("buried", 1)


def test_time_limit_option(app: Path, broker: Beanstalkd) -> None:
    """The option is for tasks that have no time limit."""
    put(app, "work.put(seconds=600)")
    with start(app, "1x1", "--time-limit", "0.3") as process:
        process.says("TimeLimitExceeded: it ran for longer than 0.3 s")
    assert history(broker, 1) == ("buried", 1)


def test_short_ttr(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A job that runs for longer than its ttr runs once, beside an idle worker."""
    seconds = 10 if shape == "1x1" else 3
    put(app, f"work.options(ttr=1).put(seconds={seconds})")
    with start(app, shape) as busy:
        busy.says("begins")
        with start(app, "1x1") as idle:
            eventually(lambda: broker.waiting("t"), SLOTS[shape])
            busy.says("ends")
            eventually(lambda: broker.counts("t"), {})
            assert "begins" not in idle.log
    assert busy.log.count("begins") == 1
    assert "may run twice" not in busy.log


def test_short_ttr_while_stopping(app: Path, broker: Beanstalkd, shape: str) -> None:
    put(app, "work.options(ttr=1).put(seconds=3)")
    with start(app, shape) as draining:
        draining.says("begins")
        draining.signal(signal.SIGTERM)
        with start(app, "1x1") as other:
            assert draining.exit_code() == 0
            eventually(lambda: broker.counts("t"), {})
            assert "begins" not in other.log
    assert draining.log.count("ends") == 1
    assert "may run twice" not in draining.log


def test_job_of_a_killed_worker(app: Path, broker: Beanstalkd) -> None:
    """Another worker gets it at once, whatever its ttr."""
    put(app, "work.options(ttr=3600).put(seconds=600)")
    with start(app, "1x1") as killed:
        killed.says("begins")
        with start(app, "1x1") as other:
            eventually(lambda: broker.waiting("t"), 1)
            killed.signal(signal.SIGKILL)
            other.says("begins")
            assert broker.stats_job(1)["reserves"] == 2


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, of Linux")
@pytest.mark.parametrize("when", ["importing", "idle", "busy"])
def test_stops_as_pid_1(app: Path, broker: Beanstalkd, shape: str, when: str) -> None:
    """As the first process of a container."""
    write_module(
        app,
        "slow",
        "import time\nprint('importing', flush=True)\ntime.sleep(600)",
    )
    if when == "busy":
        put(app, "work.put(seconds=1)")
    container = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    module = "slow" if when == "importing" else "tasks"
    with WorkerProcess(
        app, "--import", module, *OPTIONS[shape], wrapped_in=container
    ) as process:
        if when == "idle":
            eventually(lambda: broker.waiting("t"), SLOTS[shape])
        else:
            process.says("importing" if when == "importing" else "begins")
        pid = only_child(process.process.pid)
        os.kill(pid, signal.SIGTERM)

        assert process.exit_code() == 0
    assert broker.counts("t") == {}
    eventually(broker.connections, 0)


def only_child(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def in_shell(first: str) -> tuple[str, ...]:
    """Return what makes a command one that a shell runs, after something else."""
    return "sh", "-c", f'{first} exec "$@"', "sh"


def test_max_jobs_with_long_jobs(app: Path, broker: Beanstalkd) -> None:
    """Long jobs do not pile up in processes that have run --max-jobs.

    Long and quick jobs take turns: each quick one makes its process exit.
    """
    put(app, "work.put_many({'seconds': 4 * (n % 2), 'n': n} for n in range(32))")
    most = 0

    def ended() -> int:
        nonlocal most
        most = max(most, broker.counts("t").get("reserved", 0))
        return process.log.count("ends")

    with start(app, "2x1", "--threads=2", "--max-jobs=1") as process:
        eventually(ended, 32, within=3 * DEADLINE)
        # In each place two that leave have a job each, and the next has two.
        assert most <= 8
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0


def test_burst_with_max_jobs(app: Path, broker: Beanstalkd) -> None:
    put(app, "work.put_many({'n': n} for n in range(30))")
    with start(app, "2x4", "--burst", "--max-jobs=5") as process:
        assert process.exit_code() == 0
        assert sorted(re.findall(r"ends (\d+)", process.log), key=int) == [
            str(n) for n in range(30)
        ]
    assert broker.counts("t") == {}


@pytest.mark.parametrize("shape", ["1x1", "2x4"])
def test_left_thread_pool(app: Path, broker: Beanstalkd, shape: str) -> None:
    """No process waits for an idle thread pool of a task."""
    put(app, "use_pool.put_many([{}] * 9)")
    options = ("--max-jobs=2", "--shutdown-timeout=600")
    with start(app, shape, *options) as process:
        eventually(lambda: broker.counts("t"), {})
        is_working(broker, shape)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert process.log.count("in the pool") == 9


@pytest.mark.parametrize("shape", ["1x1", "2x4"])
def test_left_thread(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A process is replaced although a task has left a thread that does not end."""
    put(app, "leave_thread.put_many({'n': n} for n in range(20))")
    options = ("--max-jobs=5", "--shutdown-timeout=0.1")
    with start(app, shape, *options) as process:
        eventually(lambda: process.log.count("has left"), 20)
        is_working(broker, shape)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert "Traceback" not in process.log


def test_closed_stdout(app: Path, broker: Beanstalkd) -> None:
    put(app, "work.put_many([{}] * 3)", "work.options(priority=9**6).put(60)")
    closed = in_shell("exec >&-;")
    with start(app, "1x1", "--max-jobs=2", wrapped_in=closed) as process:
        eventually(lambda: broker.counts("t"), {"reserved": 1})
        process.signal(signal.SIGTERM)
        process.says("Stopping, as soon as job 4")  # perhaps only at second sight
        process.signal(signal.SIGINT)
        assert process.exit_code() == 0
        assert "Error" not in process.log.replace("OSError: [Errno 9]", "")


def test_threads_cannot_start(app: Path) -> None:
    no_room = in_shell("ulimit -s 65536; ulimit -v 1000000;")
    with start(app, "1x1", "--threads=400", wrapped_in=no_room) as process:
        assert process.exit_code() == 2
        assert re.search(r"only \d+ of 400 threads could be started", process.log)
        assert "Traceback" not in process.log


def test_supervisor_without_descriptors(
    app: Path,
) -> None:
    """A supervisor without file descriptors goes on with the processes that run."""
    no_room = in_shell("ulimit -n 16;")
    with start(app, "1x1", "--processes=24", wrapped_in=no_room) as process:
        process.says("can't be started ([Errno 24] Too many open files)")
        put(app, "work.put(n=1)")
        process.says("ends 1")
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert "Traceback" not in process.log


def children_of(process: WorkerProcess) -> list[int]:
    pid = process.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in children.split()]


@pytest.mark.parametrize("has_thread", [False, True])
def test_fork_or_spawn(app: Path, broker: Beanstalkd, has_thread: bool) -> None:
    """A supervisor that has threads starts its processes anew instead of forking them.

    A tracer, say, whose code runs at the start of every interpreter, may start one.
    """
    if has_thread:
        write_module(
            app,
            "sitecustomize",
            "import threading, time\n"
            "threading.Thread(target=time.sleep, args=(999,), daemon=True).start()\n",
        )
    with start(app, "2x4", wrapped_in=("env", f"PYTHONPATH={app}")) as process:
        is_working(broker, "2x4")
        os.kill(children_of(process)[0], signal.SIGKILL)
        process.says("was killed by SIGKILL")
        is_working(broker, "2x4")
        commands = [
            Path(f"/proc/{n}/cmdline").read_text() for n in children_of(process)
        ]
        assert ["--supervised=" in command for command in commands] == [has_thread] * 2
        put(app, "work.put_many([{'n': n} for n in range(9)])")
        eventually(lambda: broker.counts("t"), {})
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert all(f"ends {n}\n" in process.log for n in range(9))


def test_signal_at_the_very_end(app: Path, broker: Beanstalkd) -> None:
    """A signal that ends a process in its last steps is not logged as a crash.

    Python has given up its handlers by then.
    """
    put(app, "signal_at_the_very_end.put_many([{}] * 6)")
    with start(app, "2x1", "--max-jobs=1") as process:
        eventually(lambda: process.log.count("Worker stopped"), 6)
        eventually(lambda: broker.waiting("t"), 2)
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert "ERROR" not in process.log


def test_crash_after_max_jobs(app: Path) -> None:
    """The crash of a process that finishes its last job is logged."""
    put(app, "die_later.put()", "work.put()")
    with start(app, "2x4", "--max-jobs=1") as process:
        process.says("was killed by SIGKILL while it ran job 1")
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGINT)
        assert process.exit_code() == 0
