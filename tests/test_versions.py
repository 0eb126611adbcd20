"""The versions of beanstalkd: what works on each, and a table of how they differ.

The tests run on each beanstalkd that is there, which on CI are 1.12 and 1.13. What the
table says of older and newer versions comes from beanstalkd's change log, its merged
pull requests (#) and its sources, and is held where a test can play that version.
"""

import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import greenstalk
import pytest
from prometheus_client import CollectorRegistry

from jobqueue import JobQueue, Worker
from jobqueue.admin.screen import views
from jobqueue.broker.server_stats import ServerStats
from jobqueue.worker.metrics import WorkerMetrics
from tests.helpers.beanstalkds import NAME
from tests.helpers.paths import ROOT
from tests.helpers.servers import (
    Beanstalkd,
    eventually,
    has_behaviour_of,
    require_beanstalkd,
)
from tests.helpers.terminal import Terminal, operate, operate_json


class Difference(NamedTuple):
    """A behaviour of beanstalkd that depends on its version."""

    since: str  # the first version that has it
    behaviour: str
    before: str
    source: str
    jobqueue: str  # how jobqueue is right on each version, or which one it needs
    held_by: str  # file::test, several with a blank between them


DIFFERENCES = [
    Difference(
        since="1.11",
        behaviour="the version in stats is in quotes",
        before="version: 1.10",
        source="#283",
        jobqueue="reads both",
        held_by="tests/broker/test_stats.py::test_a_server_is_read_from_every_version",
    ),
    Difference(
        since="1.12",
        behaviour="reserve-job",
        before="UNKNOWN_COMMAND",
        source="change log",
        jobqueue="needs 1.12 for an import of buried jobs only, and says so",
        held_by=(
            "tests/admin/commands/test_transfer.py"
            "::test_import_of_buried_jobs_needs_1_12 "
            "tests/admin/commands/test_transfer.py"
            "::test_round_trip_of_ten_thousand_jobs"
        ),
    ),
    Difference(
        since="1.12",
        behaviour="Unix sockets: -l unix:/path",
        before="TCP only",
        source="change log",
        jobqueue="a URL of unix:// needs 1.12, or a proxy before an older one",
        held_by="tests/task/test_putter.py::test_broker_away",
    ),
    Difference(
        since="1.12",
        behaviour="draining in stats",
        before="no such key",
        source="#434, after 1.11",
        jobqueue="does not say whether an older one is draining",
        held_by=(
            "tests/broker/test_stats.py::test_missing_counts "
            "tests/test_versions.py::test_draining "
            "tests/test_versions.py::test_draining_before_1_12"
        ),
    ),
    Difference(
        since="1.12",
        behaviour="with a binlog (-b), fsync every 50 ms by default",
        before="no fsync by default: a power cut loses what was not written",
        source="change log, #581",
        jobqueue="docker-compose.yml and the tests ask for -f 0",
        held_by="tests/faults/test_broker.py::test_killed_often",
    ),
    Difference(
        since="1.12",
        behaviour="a priority, delay or ttr of 2**32 is BAD_FORMAT",
        before="cut to 32 bits: 2**32 is 0",
        source="#446, #489, after 1.11",
        jobqueue="sends no such number",
        held_by=(
            "tests/devserver/conformance/test_conversations.py::test_replies "
            "tests/broker/test_connection.py::test_largest_options"
        ),
    ),
    Difference(
        since="1.13",
        behaviour="name, tube, hostname, os and platform are in quotes",
        before="no quotes: a tube may look like a number",
        source="#592, #611",
        jobqueue="reads both",
        held_by=(
            "tests/devserver/conformance/test_statistics.py::test_strings_are_quoted "
            "tests/test_versions.py::test_signed_jobs_of_three_tubes"
        ),
    ),
    Difference(
        since="1.13",
        behaviour="a timeout of reserve-with-timeout that is no number, or not from 0 "
        "to 2**31 - 1, is BAD_FORMAT",
        before="what is no number is 0; a negative one means no limit",
        source="#607",
        jobqueue="sends seconds from 0 on",
        held_by=(
            "tests/devserver/conformance/test_conversations.py::test_replies "
            "tests/devserver/conformance/test_time.py"
            "::test_negative_timeout_waits_without_limit"
        ),
    ),
    Difference(
        since="1.13",
        behaviour="SIGTERM ends the process that has pid 1, with the status 143",
        before="a process of pid 1 ignores SIGTERM; a container is killed after 10 s",
        source="#585",
        jobqueue="docker-compose.yml has an init process, which works on each",
        held_by="tests/test_versions.py::test_sigterm_as_pid_1",
    ),
]

# The same on all of them: pause-tube (#604 mended its description only), the counts in
# stats (#643 added them to the description), SIGUSR1 to drain, the limit of a job's
# size, the names of tubes. The development version of 2025 answers as 1.13 does.


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda it: it.behaviour[:30])
def test_table(difference: Difference) -> None:
    """Each difference is held by tests that exist."""
    for test in difference.held_by.split():
        path, _, function = test.partition("::")
        assert f"\ndef {function}(" in (ROOT / path).read_text(), test


SECRET = "0123456789abcdef" * 2
TUBES = ["emails", "007", "1.5"]


def test_signed_jobs_of_three_tubes(broker: Beanstalkd) -> None:
    """A worker runs them, and an operator sees, kicks and moves what failed."""
    ran: list[str] = []
    with JobQueue(broker.url, secret=SECRET) as queue:
        for tube in TUBES:

            @queue.task(tube)
            def send(to: str) -> None:
                ran.append(to)
                if to == "nobody":
                    raise ValueError

            send.put(tube)
        send.put("nobody")
        worker = Worker(url=broker.url, burst=True)
        worker.run()

        assert sorted(ran) == sorted([*TUBES, "nobody"])
        listed = operate(broker, "list", "1.5").stdout
        assert '  send to="nobody"  ' in listed
        assert " buried " in listed
        assert operate_json(broker, "show", 4)["tube"] == "1.5"
        stats = operate_json(broker, "stats")
        assert [tube["tube"] for tube in stats["tubes"]] == ["1.5", "default"]
        assert stats["server"]["version"] == broker.version()
        assert '"' not in operate(broker, "stats").stdout
        with Terminal(broker, "top") as terminal:
            terminal.shows(f"beanstalkd {broker.version()}")
            terminal.shows("\n1.5 ")
            terminal.types("q")
            assert terminal.exit_code() == 0
        exported = operate(broker, "export", "1.5").stdout
        assert '"tube": "1.5"' in exported
        assert operate(broker, "kick", "1.5", "--all").returncode == 0
        assert operate(broker, "import", stdin=exported.encode()).returncode == 0
        assert broker.counts("1.5") == {"ready": 1, "buried": 1}
        metrics = CollectorRegistry()
        metrics.register(WorkerMetrics.of(worker))
        for state, count in {"ready": 1, "buried": 1}.items():
            labels = {"tube": "1.5", "state": state}
            assert metrics.get_sample_value("jobqueue_tube_jobs", labels) == count


def test_draining(broker: Beanstalkd) -> None:
    assert "not draining" in operate(broker, "stats").stdout

    broker.drain()

    with greenstalk.Client(broker.target) as client:
        eventually(lambda: client.stats()["draining"], "true")
    assert "draining: refuses new jobs" in operate(broker, "stats").stdout


STATS_OF_1_10 = b"""---
current-jobs-ready: 0
current-jobs-reserved: 0
current-jobs-delayed: 0
current-jobs-buried: 0
cmd-put: 0
max-job-size: 65535
version: 1.10
uptime: 42
binlog-current-index: 0
"""


def test_draining_before_1_12() -> None:
    record = ServerStats.parse(STATS_OF_1_10)

    assert views.server(record) == (
        "beanstalkd 1.10, up 42s, no binlog, jobs of up to 65,535 bytes"
    )


@pytest.mark.usefixtures("_each_beanstalkd")
def test_sigterm_as_pid_1(socket_folder: Path) -> None:
    """Since 1.13 it ends such a server, as in a container without an init process."""
    require_beanstalkd()
    wrapper = "unshare", "--pid", "--fork", "--kill-child"
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace can be made")
    broker = Beanstalkd(socket_folder / "b.sock", program=NAME, wrapped_in=wrapper)
    with broker:
        children = Path(f"/proc/{broker.pid}/task/{broker.pid}/children").read_text()
        ends = has_behaviour_of("1.13", broker)
        subprocess.run(["kill", f"-{signal.SIGTERM}", *children.split()], check=True)
        if ends:
            eventually(lambda: broker.status, 143)
        else:
            assert broker.version()
            assert broker.status is None
