"""A binlog that grows: what makes it grow, what does not, and that `stats` says so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.servers import REAL, Beanstalkd, require_beanstalkd
from tests.helpers.terminal import operate, operate_json

if TYPE_CHECKING:
    from greenstalk import Client

FILE, LARGEST = 4096, 1000  # bytes
WARNING = "The binlog has "
BODY = b"x" * 200

Prepare = Callable[["Client[bytes]"], object]


@pytest.fixture
def logged(
    tmp_path: Path, socket_folder: Path, _each_beanstalkd: None
) -> Iterator[Beanstalkd]:
    require_beanstalkd()
    options = ("-b", str(tmp_path), "-f", "0", "-s", str(FILE), "-z", str(LARGEST))
    with Beanstalkd(socket_folder / "b.sock", *options, program=REAL) as broker:
        yield broker


def server(broker: Beanstalkd) -> dict[str, Any]:
    return dict(operate_json(broker, "stats")["server"])


def bury(client: "Client[bytes]") -> None:
    client.put(BODY)
    client.bury(client.reserve())


def delay(client: "Client[bytes]") -> None:
    client.put(BODY, delay=86_400)


def delay_again_and_again(client: "Client[bytes]") -> None:
    client.put(BODY)
    for _ in range(50):
        client.release(client.reserve(), delay=86_400)
        client.kick(1)


@pytest.mark.parametrize("prepare", [bury, delay, delay_again_and_again])
def test_old_jobs_pin_no_file(logged: Beanstalkd, prepare: Prepare) -> None:
    """beanstalkd copies their records to new files, and drops the old ones."""
    with logged.client("old") as client:
        for _ in range(5):
            prepare(client)
    with logged.client("new") as client:
        for _ in range(600):
            client.put(BODY)
            client.delete(client.reserve())
        stats = client.stats()

    assert stats["binlog-current-index"] > 40
    assert stats["binlog-records-migrated"] > 5
    assert stats["binlog-current-index"] - stats["binlog-oldest-index"] < 4
    assert WARNING not in operate(logged, "stats").stdout


def test_retries_without_end(logged: Beanstalkd) -> None:
    """Their records are kept, and once no number of jobs explains them, stats says."""
    with logged.client("t") as client:
        job_id = client.put(BODY)
        assert server(logged)["binlog_excess"] == 0
        for _ in range(250):
            client.release(client.reserve(), delay=86_400)
            client.kick(1)

        values, done = server(logged), operate(logged, "stats")
        client.delete(job_id)

    files = values["binlog_files"]
    assert files > 8
    assert values["binlog_size"] == files * FILE
    assert 0 < values["binlog_excess"] < files * FILE
    assert f"binlog of {files} files ({files * 4} KiB)" in done.stdout
    assert f"\n\n{WARNING}{files * 4} KiB, which is more than the jobs" in done.stdout


def test_many_jobs(logged: Beanstalkd) -> None:
    """Jobs that need much have no warning, however large the binlog is."""
    with logged.client("t") as client:
        for _ in range(100):
            client.put(b"x" * LARGEST)

    assert server(logged)["binlog_files"] > 20
    assert server(logged)["binlog_excess"] == 0
