"""Finding a tube's jobs: where ids have gaps, and which is the last one."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.admin.cli import main
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.stats import JobState
from jobqueue.operating import search as search_room
from jobqueue.operating.id_blocks import IdBlocks
from jobqueue.operating.search import Search
from tests.helpers.servers import (
    REAL,
    Beanstalkd,
    eventually_true,
    require_beanstalkd,
)
from tests.helpers.terminal import delete, operate, put, put_buried


@pytest.fixture
def operator(broker: Beanstalkd) -> Iterator[OperatorConnection]:
    with OperatorConnection(Address.parse(broker.url)) as operator:
        yield operator


def search_for(
    operator: OperatorConnection, *states: JobState, tube: str = "t"
) -> Search:
    counts = operator.tube(tube)
    assert counts is not None
    return Search(operator, counts, states or list(JobState))


def ids_of(search: Search) -> list[int]:
    return sorted(job.id for jobs in search.blocks() for job in jobs)


@given(
    known=st.sets(st.integers(1, 300)),
    last=st.integers(0, 250),
    size=st.integers(1, 60),
    turns=st.lists(st.booleans(), min_size=1),
)
def test_each_id_comes_once(
    known: set[int], last: int, size: int, turns: list[bool]
) -> None:
    ids = IdBlocks(known, last)
    seen: list[int] = []
    turn = itertools.cycle(turns)
    while block := ids.block(size):
        assert len(block) <= size
        seen += block
        if next(turn):
            ids.turn()

    assert sorted(seen) == list(range(1, last + 1))


@given(last=st.integers(0, 50), more=st.integers(0, 50), less=st.integers(0, 50))
def test_last_id_may_change(last: int, more: int, less: int) -> None:
    ids = IdBlocks([10, 30], last)
    ids.extend(more)
    end = max(last, more)
    ids.cut(less)
    end = min(end, less)
    seen: list[int] = []
    while block := ids.block(7):
        seen += block
        ids.turn()

    assert sorted(seen) == list(range(1, end + 1))


def test_blocks_start_at_known_jobs() -> None:
    assert IdBlocks([5_000_000], 10_000_000).block(100) == range(5_000_000, 5_000_100)


def test_gaps(broker: Beanstalkd, operator: OperatorConnection) -> None:
    first = put(broker, 3)
    gone = put(broker, 8000, "other")
    middle = put_buried(broker, 2)
    more = put(broker, 8000, "other")
    last = put(broker, 3, delay=1000)
    delete(broker, gone + more)

    search = search_for(operator)

    assert ids_of(search) == first + middle + last
    assert search.missing == 0


def test_ids_without_jobs(broker: Beanstalkd, operator: OperatorConnection) -> None:
    """A put whose body is cut short takes an id, and total-jobs doesn't count it."""
    (first,) = put(broker)
    for _ in range(10):
        with broker.client() as client:
            client._sock.sendall(b"put 0 0 1 1\r\nxyz\r\n")
            assert client._sock.recv(100).startswith(b"EXPECTED_CRLF\r\n")
    (last,) = put(broker)
    with broker.client("t") as client:  # so that no peek leads there
        client.reserve_job(last)

        assert last > client.stats()["total-jobs"]
        assert ids_of(search_for(operator)) == [first, last]


def test_jobs_that_come_and_go_meanwhile(
    broker: Beanstalkd, operator: OperatorConnection
) -> None:
    """They do not end the search too soon."""
    ids = put(broker, 12_000)
    search = search_for(operator)
    blocks = search.blocks()

    found = [job.id for job in next(blocks)]
    delete(broker, found[:4000])
    new = put(broker, 4000)
    found += [job.id for jobs in blocks for job in jobs]

    assert set(ids) <= set(found) <= {*ids, *new}
    assert search.missing == 0


def test_ends_when_all_are_found(
    broker: Beanstalkd, operator: OperatorConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(broker, 30)
    put(broker, 300, "other")
    monkeypatch.setattr(search_room, "BLOCK", 10)
    asked: list[range] = []
    jobs_of = operator.jobs_of

    def counted(tube: str, ids: range) -> object:
        asked.append(ids)
        return jobs_of(tube, ids)

    monkeypatch.setattr(operator, "jobs_of", counted)

    assert len(ids_of(search_for(operator))) == 30
    assert [(ids.start, ids.stop) for ids in asked] == [(1, 11), (11, 21), (21, 31)]


@pytest.fixture
def restarted(socket_folder: Path, tmp_path: Path) -> Iterator[Beanstalkd]:
    """Return a server that has read a binlog, and goes on after the ids in it."""
    require_beanstalkd()
    options = ("-b", str(tmp_path))
    with Beanstalkd(socket_folder / "b.sock", *options, program=REAL) as broker:
        gone = put(broker, 20_000)
        put_buried(broker, 3)
        delete(broker, gone)
        put(broker, 5, delay=1000)
        (socket_folder / "b.sock").unlink()
        broker.kill()
        broker.start()
        yield broker


def test_after_a_binlog(
    restarted: Beanstalkd,
) -> None:
    """Jobs from the binlog are found, and those put since."""
    new = put(restarted, 2)
    with OperatorConnection(Address.parse(restarted.url)) as operator:
        assert operator.server().has_binlog
        assert operator.server().puts == 2
        search = search_for(operator)

        assert ids_of(search) == [*range(20_001, 20_009), *new]
        assert search.missing == 0


def test_a_job_changes_its_state_while_the_last_id_is_unknown(
    restarted: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job is found that enters a state after its id was asked about."""
    monkeypatch.setattr(search_room, "PATIENCE", 50_000)
    with (
        OperatorConnection(Address.parse(restarted.url)) as operator,
        restarted.client("t") as worker,
    ):
        worker.kick_job(20_003)
        job = worker.reserve()
        search = search_for(operator, JobState.BURIED)
        blocks = search.blocks()

        found = [job.id for job in next(blocks)]
        worker.bury(job)
        found += [job.id for jobs in blocks for job in jobs]

        assert found == [20_001, 20_002, 20_003]
        assert search.missing == 0


def test_jobs_come_while_the_last_id_is_unknown(
    restarted: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last id is learnt from jobs whose ids were asked about before they came."""
    monkeypatch.setattr(search_room, "PATIENCE", 50_000)
    with OperatorConnection(Address.parse(restarted.url)) as operator:
        search = search_for(operator, JobState.DELAYED)
        blocks = search.blocks()

        assert next(blocks) == []
        found = [job.id for job in next(blocks)]
        eventually_true(lambda: operator.server().uptime > 0)
        put(restarted, delay=1000)
        found += [job.id for jobs in blocks for job in jobs]

        assert found == [*range(20_004, 20_009)]
        assert search.missing == 0


def test_incomplete_list_says_so(
    restarted: Beanstalkd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Jobs far from all known ids, on a server whose last id is unknown."""
    monkeypatch.setattr(search_room, "PATIENCE", 3_000)
    monkeypatch.setattr(search_room, "BLOCK", 1_000)
    monkeypatch.setattr(OperatorConnection, "first", lambda *_: None)

    status = main(["list", "t", "--url", restarted.url])

    assert status == 1
    assert capsys.readouterr().err == (
        "jobqueue list: error: this is incomplete: 8 more jobs should exist, but this "
        "server does not say what its last job id is, and the ids lie too far apart to "
        "ask about each\n"
    )
    monkeypatch.undo()
    assert len(operate(restarted, "list", "t").stdout.splitlines()) == 9
