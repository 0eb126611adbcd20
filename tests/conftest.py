import importlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest

from jobqueue import JobQueue
from jobqueue.task.registry import subscriber
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import Executor, ReservedJob
from jobqueue.worker.running.time_limit import TimeLimits
from jobqueue.worker.settings import Timings
from tests.helpers.beanstalkds import NAME, Program, programs
from tests.helpers.optional_programs import OPTIONAL_PROGRAMS
from tests.helpers.raw_client import RawClient
from tests.helpers.reserved import Run, Running, runner
from tests.helpers.servers import (
    DEVELOPMENT,
    IS_INSTALLED,
    SERVERS,
    Beanstalkd,
    Server,
    server_of,
)

# The tests start a thousand processes. In an environment that says to write no compiled
# files, each would compile the package anew, which takes it longer than all else.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

TESTS = Path(__file__).parent

# Machines stall; no test asserts a time.
hypothesis.settings.register_profile(
    "jobqueue",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("jobqueue")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults",
        choices=["short", "long"],
        default="short",
        help="how many faults the tests of faults inject",
    )
    parser.addoption(
        "--thorough",
        action="store_true",
        help="run the thorough tests as well, which a run without paths leaves out",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "thorough: takes seconds; a run without paths needs --thorough to run it, and "
        "continuous integration runs it",
    )
    # What nohup or a script's background ignores, the tests' processes would, too.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def leaves_out_thorough(config: pytest.Config) -> bool:
    return not (config.option.thorough or config.option.file_or_dir)


# They take some seconds each.
LONGEST = {
    *("test_campaign", "test_stops_at_random_moments"),
    *("test_round_trip_of_ten_thousand_jobs", "test_any_items"),
    # Thorough ones
    *("test_wheel", "test_newsletter", "test_quick_run", "test_random_commands"),
    *("test_max_jobs_with_long_jobs", "test_job_holds_the_interpreter"),
}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Import all tests, beginning with others in each of the workers of xdist.

    To compile a file of tests takes long, as pytest rewrites it. So each is compiled by
    the worker that comes to it first.
    """
    config = session.config
    worker = getattr(config, "workerinput", None)
    if worker is None or config.option.file_or_dir:
        return
    paths = sorted(TESTS.rglob("test_*.py"))
    first = int(worker["workerid"].removeprefix("gw")) * len(paths)
    first //= worker["workercount"]
    for path in paths[first:] + paths[:first]:
        parts = path.relative_to(TESTS.parent).with_suffix("").parts
        with suppress(Exception, pytest.skip.Exception):  # shown when it is collected
            importlib.import_module(".".join(parts))


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the thorough tests if need be, and begin with the longest.

    At the end the other workers of xdist would wait for one that runs a long test. Each
    worker begins with its share of the list, of which all have the same size.
    """
    if leaves_out_thorough(config):
        thorough = {item for item in items if item.get_closest_marker("thorough")}
        config.hook.pytest_deselected(items=list(thorough))
        items[:] = [item for item in items if item not in thorough]
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    longest = [item for item in items if item.name.partition("[")[0] in LONGEST]
    others = [item for item in items if item not in longest]
    shares: list[pytest.Item] = []
    for n in range(workers):
        first = longest[n::workers]
        size = (len(items) - len(shares)) // (workers - n) - len(first)
        shares += first + others[:size]
        del others[:size]
    items[:] = shares


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if leaves_out_thorough(terminalreporter.config):
        terminalreporter.write_line(
            "the thorough tests were left out: --thorough runs them too, as CI does"
        )
    if IS_INSTALLED:
        newest, *others = [program.version for program in programs()]
        line = f"all tests ran on beanstalkd {newest}"
        if others:
            line += f", and those that talk to a broker also on {', '.join(others)}"
        terminalreporter.write_line(line)
    else:
        skipped = skipped_without("beanstalkd", terminalreporter)
        terminalreporter.write_line(
            f"beanstalkd is not installed: {skipped} checks of the real server were "
            "skipped, and all others ran on the development server",
            yellow=True,
        )
    if skipped := skipped_without("socat", terminalreporter):
        terminalreporter.write_line(
            f"socat is not installed: {skipped} checks of the docs' tunnel were "
            "skipped",
            yellow=True,
        )
    for program in OPTIONAL_PROGRAMS:
        if skipped := skipped_without(program, terminalreporter):
            terminalreporter.write_line(
                f"{program} is not installed: {skipped} checks of the docs' files were "
                "skipped",
                yellow=True,
            )


def skipped_without(program: str, reporter: pytest.TerminalReporter) -> int:
    """Return how many tests were skipped because there is no such program."""
    reports = reporter.getreports("skipped")
    return sum(f"{program} is not installed" in str(r.longrepr) for r in reports)


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test the state of a new process: no tasks, no URL and no secret.

    A worker's command blocks signals while it starts. If it ends with an error, in a
    test that calls its function, they stay blocked, also in what other tests start.
    """
    monkeypatch.setattr(subscriber, "_tubes", {})
    monkeypatch.delenv("BEANSTALKD_URL", raising=False)
    monkeypatch.delenv("JOBQUEUE_SECRET", raising=False)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    JobQueue.default().close()


@pytest.fixture(scope="session")
def folders_of_programs(
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[Program, Path]:
    """Return for each beanstalkd a folder with nothing but a link to it."""
    folders = {}
    for program in programs():
        folder = folders[program] = tmp_path_factory.mktemp(NAME)
        (folder / NAME).symlink_to(Path(program.path).resolve())
    return folders


@pytest.fixture(autouse=True)
def _newest_beanstalkd(
    folders_of_programs: Mapping[Program, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have the newest beanstalkd come first on the PATH."""
    for program in programs()[:1]:
        put_on_path(folders_of_programs[program], monkeypatch)


@pytest.fixture(
    params=programs() or [None],
    ids=[program.version for program in programs()] or [DEVELOPMENT],
)
def _each_beanstalkd(
    request: pytest.FixtureRequest,
    folders_of_programs: Mapping[Program, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run the test with each beanstalkd as the first one on the PATH."""
    if request.param:
        put_on_path(folders_of_programs[request.param], monkeypatch)


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """Return a folder whose path is short enough for a Unix socket (108 bytes)."""
    with TemporaryDirectory(prefix="jq-") as folder:
        yield Path(folder)


@pytest.fixture
def broker(_each_beanstalkd: None, socket_folder: Path) -> Iterator[Beanstalkd]:
    """Return a beanstalkd: once each that is there, or else the development server."""
    with Beanstalkd(socket_folder / "b.sock") as beanstalkd:
        yield beanstalkd


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, socket_folder: Path) -> Iterator[Server]:
    """Return each beanstalkd, and then the development server: they do the same."""
    with server_of(request.param, socket_folder) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[RawClient]:
    with RawClient(server.target) as client:
        yield client


@pytest.fixture
def other(server: Server) -> Iterator[RawClient]:
    with RawClient(server.target) as client:
        yield client


@pytest.fixture
def third(server: Server) -> Iterator[RawClient]:
    with RawClient(server.target) as client:
        yield client


@pytest.fixture
def queue(broker: Beanstalkd) -> Iterator[JobQueue]:
    with JobQueue(broker.url) as queue:
        yield queue


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    assert running.stuck == []


@pytest.fixture
def event_loop() -> Iterator[EventLoop]:
    event_loop = EventLoop(Timings(loop_look=0.02))
    yield event_loop
    event_loop.close()


@pytest.fixture
def executor(running: Running, event_loop: EventLoop) -> Iterator[Executor]:
    limits: TimeLimits[ReservedJob] = TimeLimits(
        lambda job, _guard: running.stuck.append(job)
    )
    yield Executor(subscriber.find, limits, event_loop)
    limits.close()


@pytest.fixture
def run(
    request: pytest.FixtureRequest, executor: Executor, event_loop: EventLoop
) -> Run:
    """Return a function that runs a job: see :data:`BOTH_WAYS`."""
    on_loop = getattr(request, "param", "thread") == "loop"
    return runner(executor, event_loop, on_loop=on_loop)
