"""--reload: real workers, and edits of their code as editors make them."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.worker_process import WorkerProcess, write_module

TASKS = """
import time
from pathlib import Path
from jobqueue import JobQueue
from shop import VERSION

queue = JobQueue()

@queue.task("t")
def work(wait=False):
    print("ran", VERSION, 1, flush=True)
    while wait and not Path("go-on").exists():
        time.sleep(0.01)
"""
BROKEN = "VERSION = = 2\n"


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    write_module(tmp_path, "app.tasks", TASKS)
    edit(tmp_path, version=1)
    return tmp_path


def edit(app: Path, version: object) -> None:
    (app / "shop.py").write_text(f"VERSION = {version!r}\n")


def start(app: Path, *arguments: str) -> WorkerProcess:
    return WorkerProcess(app, "--import", "app.tasks", "--reload", *arguments)


@pytest.fixture
def worker(app: Path) -> Iterator[WorkerProcess]:
    with start(app) as worker:
        yield worker


def put(broker: Beanstalkd, kwargs: str = "{}") -> None:
    broker.put(f'{{"func_name":"work","tube":"t","kwargs":{kwargs}}}'.encode())


def starts(worker: WorkerProcess) -> int:
    return worker.log.count("Worker started")


def runs(worker: WorkerProcess, broker: Beanstalkd, version: int) -> None:
    """Wait until so many processes have been started, and the last runs this code.

    One that stops takes a job that is on its way.
    """
    eventually(lambda: starts(worker), version)
    eventually(lambda: worker.log.count("Worker stopped"), version - 1)
    put(broker)
    worker.says(f"ran {version} 1")


def test_edits(worker: WorkerProcess, app: Path, broker: Beanstalkd) -> None:
    """Of what the tasks' modules import, too; and each is logged."""
    runs(worker, broker, 1)
    edit(app, version=2)
    worker.says("Stopping: shop.py changed")
    runs(worker, broker, 2)
    text = (app / "app" / "tasks.py").read_text()
    (app / "app" / "tasks.py").write_text(text.replace("VERSION, 1", "VERSION + 1, 1"))
    worker.says(f"Stopping: {Path('app', 'tasks.py')} changed")
    runs(worker, broker, 3)
    worker.signal(signal.SIGINT)
    assert worker.exit_code() == 0
    assert starts(worker) == 3


def test_what_is_no_change(
    worker: WorkerProcess, app: Path, broker: Beanstalkd
) -> None:
    """Nothing that editors and Python itself leave in the folders starts a worker."""
    runs(worker, broker, 1)
    package = app / "app"
    for name in (".tasks.py.swp", "tasks.py~", "4913", ".#tasks.py", "notes.txt"):
        (package / name).write_text("x")
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "tasks.cpython-311.pyc").write_text("x")
    (app / "unrelated.py").write_text("x = 1")
    (package / "tasks.py").write_text(TASKS)  # the same as before
    (package / "tasks.py").touch()
    (package / "more.py").write_text("")  # so that all these have been looked at
    eventually(lambda: starts(worker), 2)

    assert f"Stopping: {Path('app', 'more.py')} changed\n" in worker.log


def test_atomic_rename(worker: WorkerProcess, app: Path, broker: Beanstalkd) -> None:
    for version in (2, 3):
        runs(worker, broker, version - 1)
        (app / "shop.py").rename(app / "shop.py~")
        (app / "new").write_text(f"VERSION = {version}\n")
        (app / "new").rename(app / "shop.py")
    runs(worker, broker, 3)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (BROKEN, "/shop.py, line 1)"),
        pytest.param(
            *("import nothing", "No module named 'nothing' ("),
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            *("raise ValueError('no')", "ValueError: no ("), marks=pytest.mark.thorough
        ),
    ],
)
def test_broken_code(
    worker: WorkerProcess, app: Path, broker: Beanstalkd, source: str, error: str
) -> None:
    """It is shown once, with its place, and waited out."""
    runs(worker, broker, 1)
    (app / "shop.py").write_text(source)
    worker.says(error)
    worker.says("Waiting for a change of the code")
    edit(app, version=2)
    worker.says("Trying again: shop.py changed")
    runs(worker, broker, 2)

    assert worker.log.count("can't import app.tasks") == 1
    assert "takes its place" not in worker.log


def test_broken_from_the_first(app: Path, broker: Beanstalkd) -> None:
    """A worker of several processes starts them all when the code is mended."""
    (app / "shop.py").write_text(BROKEN)
    with start(app, "--processes=2") as worker:
        worker.says("Waiting for a change of the code")
        edit(app, version=1)
        eventually(lambda: broker.waiting("t"), 2)
        edit(app, version=2)
        eventually(lambda: starts(worker), 4)
        # One that stops may still run a job that it has been sent.
        eventually(lambda: worker.log.count("Worker stopped"), 2)
        eventually(lambda: broker.waiting("t"), 2)
        put(broker)
        worker.says("ran 2 1")
        worker.signal(signal.SIGTERM)
        assert worker.exit_code() == 0


def test_stop_while_it_waits(app: Path) -> None:
    (app / "shop.py").write_text(BROKEN)
    with start(app) as worker:
        worker.says("Waiting for a change of the code")
        worker.signal(signal.SIGINT)
        assert worker.exit_code(10) == 0


@pytest.mark.thorough
def test_module_that_appears(app: Path, broker: Beanstalkd) -> None:
    """As a package, and as a module in the package; and the first task does."""
    arguments = ("--import", "later.tasks", "--reload")
    with WorkerProcess(app, *arguments) as worker:
        worker.says("No module named 'later'")
        (app / "later").mkdir()
        worker.says("No module named 'later.tasks'")
        (app / "later" / "tasks.py").write_text("")
        worker.says("no task is registered")
        (app / "later" / "tasks.py").write_text(TASKS)
        runs(worker, broker, 1)


def test_running_job_is_finished(
    worker: WorkerProcess, app: Path, broker: Beanstalkd
) -> None:
    put(broker, '{"wait":true}')
    worker.says("ran 1 1")
    edit(app, version=2)
    worker.says("Stopping, as soon as job 1 is finished: shop.py changed")
    (app / "go-on").touch()
    worker.says("Job 1 done")
    runs(worker, broker, 2)


def test_job_that_is_cut_off(app: Path, broker: Beanstalkd) -> None:
    """It is put back after the time for a stop, and counts as no loss."""
    put(broker, '{"wait":true}')
    with start(app, "--shutdown-timeout=0.5") as worker:
        worker.says("ran 1 1")
        eventually_true(lambda: broker.stats_job(1)["state"] == "reserved")
        edit(app, version=2)
        worker.says("Stopping without waiting for job 1")
        worker.says("ran 2 1")
        stats = broker.stats_job(1)
        lost = stats["reserves"] - 1 - stats["releases"] - stats["buries"]
        assert (lost, stats["kicks"]) == (0, 0)
        assert "takes its place" not in worker.log


def test_missing_extra(app: Path) -> None:
    run = (
        "import runpy, sys; sys.modules['watchfiles'] = None;"
        "runpy.run_module('jobqueue.worker', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", run, "--import", "app.tasks", "--reload"],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert re.search(r"pip install 'jobqueue\[reload\]' \(see .*\)\n$", done.stderr)


def test_nothing_is_loaded_without_it(app: Path, broker: Beanstalkd) -> None:
    loaded = "import sys\nprint('loaded', 'watchfiles' in sys.modules)\n"
    write_module(app, "app.tasks", loaded + TASKS)
    put(broker)
    with WorkerProcess(app, "--import", "app.tasks", "--burst") as worker:
        worker.exit_code()

    assert "loaded False" in worker.log
