"""How a worker stops at signals: in one thread, in several, in several processes."""

import os
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from jobqueue.worker.processes.signals import STOP_SIGNALS
from tests.helpers.processes import (
    OPTIONS,
    SLOTS,
    await_slots,
    history,
    put,
    start,
)
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually, eventually_true
from tests.helpers.worker_process import (
    WorkerProcess,
    write_module,
)


@pytest.mark.parametrize("signum", STOP_SIGNALS)
def test_idle_worker_stops(
    app: Path, broker: Beanstalkd, shape: str, signum: signal.Signals
) -> None:
    with start(app, shape) as process:
        await_slots(broker, shape)
        process.signal(signum)

        assert process.exit_code() == 0
    assert broker.connections() == 0
    assert process.running_pids() == []
    assert "Traceback" not in process.log


@pytest.mark.parametrize("signum", STOP_SIGNALS)
def test_busy_worker_stops(
    app: Path, broker: Beanstalkd, shape: str, signum: signal.Signals
) -> None:
    """A worker finishes its jobs at a signal, and takes no others."""
    slots = SLOTS[shape]
    with start(app, shape) as process:
        await_slots(broker, shape)  # first: so the jobs begin at about the same time
        put(app, f"work.put_many([dict(seconds=1, n=n) for n in range({slots + 3})])")
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
        process.signal_group(signal.SIGINT)

        assert process.exit_code() == 0
    assert process.log.count("ends") == 1
    assert broker.counts("t") == {}


@pytest.mark.parametrize("signum", STOP_SIGNALS)
def test_signal_to_the_group_while_spawning(app: Path, signum: signal.Signals) -> None:
    """A spawned process that still starts ends quietly with its group."""
    write_module(
        app,
        "sitecustomize",
        "import sys, threading, time\n"
        "threading.Thread(target=time.sleep, args=(999,), daemon=True).start()\n"
        "if any('--supervised' in argument for argument in sys.orig_argv):\n"
        "    print('spawned', flush=True)\n"
        "    time.sleep(0.5)\n",
    )
    with WorkerProcess(
        app,
        *("--import", "tasks"),
        wrapped_in=("env", f"PYTHONPATH={app}"),
        new_group=True,
    ) as process:
        process.says("spawned")
        process.signal_group(signum)

        assert process.exit_code() == 0
    assert "Traceback" not in process.log
    assert "ERROR" not in process.log


def test_second_hangup(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A terminal that closes may send several: they do not count as impatience."""
    put(app, "work.put(seconds=1)")
    with start(app, shape) as process:
        process.says("begins")
        process.signal(signal.SIGHUP)
        process.says("Stopping, as soon as job 1 is finished: SIGHUP")
        process.signal(signal.SIGHUP)

        assert process.exit_code() == 0
    assert process.log.count("ends") == 1
    assert broker.counts("t") == {}


def test_nohup(app: Path, broker: Beanstalkd, shape: str) -> None:
    """SIGHUP stays ignored where it was."""
    options = ("--import", "tasks", "--tube", "t", *OPTIONS[shape])
    with WorkerProcess(app, *options, wrapped_in=("nohup",), new_group=True) as process:
        await_slots(broker, shape)
        process.signal_group(signal.SIGHUP)
        put(app, "work.put(n=1)")
        process.says("ends 1")
        assert "Stopping" not in process.log
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0


def test_handler_of_the_application(app: Path) -> None:
    """An embedded worker leaves it a handler of SIGHUP, and restores the default."""
    script = """
import signal
from jobqueue import Worker
import tasks
assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
Worker(burst=True).run()
assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
signal.signal(signal.SIGHUP, lambda *_: print("reloads"))
tasks.hang_up.put()
Worker(burst=True).run()
"""
    with (app / "tasks.py").open("a") as file:
        file.write(
            '\n\n@queue.task("t")\n'
            "def hang_up():\n    os.kill(os.getpid(), signal.SIGHUP)\n"
        )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "reloads\n", "")


def test_second_signal(app: Path, broker: Beanstalkd, shape: str) -> None:
    """A second signal ends the worker without waiting for its jobs."""
    put(app, "work.put(seconds=600)")
    with start(app, shape) as process:
        process.says("begins")
        process.signal(signal.SIGTERM)
        process.says("Stopping, as soon as job 1 is finished")
        eventually_true(lambda: process.ends_at(signal.SIGINT))

        assert process.exit_code() == 0
    eventually(lambda: broker.counts("t"), {"ready": 1})
    assert process.running_pids() == []


@pytest.mark.parametrize("wrapped_in", [(), ("timeout", "600")], ids=len)
@pytest.mark.thorough
def test_one_stop_told_twice(
    app: Path, broker: Beanstalkd, shape: str, wrapped_in: tuple[str, ...]
) -> None:
    """Signals that come at once are those of one stop: GNU timeout sends two."""
    put(app, "work.put(seconds=2)")
    with start(app, shape, wrapped_in=wrapped_in) as process:
        process.says("begins")
        if wrapped_in:
            process.signal(signal.SIGINT)  # it acts as if the time were over
        else:
            for signum in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
                process.signal(signum)

        process.exit_code()
        eventually(process.running_pids, [])
    assert process.log.count("ends") == 1
    assert broker.counts("t") == {}


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


def test_killed_supervisor(app: Path, broker: Beanstalkd, shape: str) -> None:
    """Its processes finish their jobs, and end."""
    put(app, "work.put(seconds=4)")
    with start(app, shape) as process:
        process.says("begins")
        all_but_one = SLOTS[shape] - 1
        eventually(lambda: broker.waiting("t"), all_but_one)
        process.signal(signal.SIGKILL)
        process.exit_code()

        eventually(process.running_pids, [])
        eventually(broker.connections, 0)
    assert process.log.count("ends") == 1
    assert broker.counts("t") == {}


def test_killed_supervisor_of_busy_processes(app: Path) -> None:
    """Each process learns of it at once, however long the others go on."""
    put(app, "work.put_many([{'seconds': 600}] * 2)")
    with start(app, "2x1", "--shutdown-timeout=600") as process:
        eventually(lambda: process.log.count("begins"), 2)
        children = process.children()
        process.signal(signal.SIGKILL)
        try:
            eventually(lambda: process.log.count(": the supervisor is gone"), 2)
        finally:
            for pid in children:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("signums", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGINT]])
@pytest.mark.thorough
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


def test_signals_until_the_end(app: Path, broker: Beanstalkd) -> None:
    """None that comes late is taken for a crash, or for a Ctrl-C in Python itself."""
    with start(app, "1x1") as process:
        await_slots(broker, "1x1")
        process.signal(signal.SIGTERM)

        def ends() -> bool:
            with suppress(ProcessLookupError):
                process.signal_all(signal.SIGINT)
            return process.process.poll() is not None

        eventually_true(ends)
        assert process.exit_code() == 0
    assert "Traceback" not in process.log
    assert "ERROR" not in process.log


@pytest.mark.parametrize("processes", [1, 2])
def test_stop_while_importing(app: Path, broker: Beanstalkd, processes: int) -> None:
    """No job begins after that, though the output blocks and the import goes on."""
    put(app, "work.put()")
    write_module(
        app,
        "slow",
        "import sys, threading, time\n"
        "from jobqueue.worker import exits\n"
        "exits.CALL_TIMEOUT = 0.3\n"
        "sys.stdout.write('buffered')\n"
        "print('importing', file=sys.stderr, flush=True)\n"
        "while not exits.is_blocked():\n"  # the exit has begun
        "    time.sleep(0.001)\n",
    )
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    log = app / "log"
    options = ["--import", "slow", "--import", "tasks", f"--processes={processes}"]
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "jobqueue.worker", *options],
            cwd=app,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=writing,
            stderr=file,
        ) as process,
    ):
        eventually_true(lambda: "importing" in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        eventually(broker.connections, 0)
    os.close(reading)
    os.close(writing)

    assert history(broker, 1) == ("ready", 0)


def only_child(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, of Linux")
@pytest.mark.parametrize("when", ["importing", "idle", "busy"])
@pytest.mark.thorough
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
