"""How worker processes are started, and what is said if they cannot be."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.processes import await_slots, in_shell, put, start
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.worker_process import (
    write_module,
)


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


def test_log_of_one_process(app: Path, broker: Beanstalkd) -> None:
    """One process says all that there is to say, with its supervisor's signal."""
    put(app, "work.put()")
    with start(app, "1x1", "--log-level=info") as process:
        process.says("Job 1 done")
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0

    lines = re.findall(r"INFO (.+)", process.log)
    assert [re.sub(r"(started|done): .*", r"\1", line) for line in lines] == [
        "Worker started",
        "Job 1 done",
        "Stopping: SIGTERM",
        "Worker stopped",
    ]
    assert broker.counts("t") == {}


@pytest.mark.parametrize(("processes", "expected"), [(1, "one line"), (2, "EOFError")])
def test_standard_input(app: Path, processes: int, expected: str) -> None:
    """One process keeps it, for a debugger in a task; several find it empty."""
    write_module(app, "reads", "print('read', repr(input()), flush=True)")
    options = [
        "--import=reads",
        "--import=tasks",
        "--burst",
        f"--processes={processes}",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "jobqueue.worker", *options],
        cwd=app,
        input="one line\n",
        capture_output=True,
        text=True,
        check=False,
    )

    assert expected in done.stdout + done.stderr
    assert done.returncode == (0 if processes == 1 else 2)


def test_threads_cannot_start(app: Path) -> None:
    no_room = in_shell("ulimit -s 65536; ulimit -v 1000000;")
    with start(app, "1x1", "--threads=400", wrapped_in=no_room) as process:
        assert process.exit_code() == 2
        assert re.search(r"only \d+ of 400 threads could be started", process.log)
        assert "Traceback" not in process.log


@pytest.mark.thorough
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


@pytest.mark.parametrize("has_thread", [False, True])
@pytest.mark.thorough
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
        await_slots(broker, "2x4")
        os.kill(process.children()[0], signal.SIGKILL)
        process.says("was killed by SIGKILL")
        await_slots(broker, "2x4")
        commands = [Path(f"/proc/{n}/cmdline").read_text() for n in process.children()]
        assert ["--supervised=" in command for command in commands] == [has_thread] * 2
        put(app, "work.put_many([{'n': n} for n in range(9)])")
        eventually(lambda: broker.counts("t"), {})
        process.signal(signal.SIGTERM)
        assert process.exit_code() == 0
        assert all(f"ends {n}\n" in process.log for n in range(9))
