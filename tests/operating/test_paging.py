"""A search in parts: each job comes once, whoever goes on, and whatever happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobqueue import Operator, OptionError
from jobqueue.operating import paging, search
from tests.helpers.noted_failure import put_note
from tests.helpers.servers import REAL, Beanstalkd, require_beanstalkd
from tests.helpers.terminal import delete, put, put_buried


def pages(
    broker: Beanstalkd, *states: str, limit: int = 7, containing: str | None = None
) -> Iterator[paging.JobPage]:
    """Yield the pages, each searched with connections of its own."""
    rest = None
    while True:
        with Operator(broker.url) as operator:
            page = operator.page(
                "t", *states, rest=rest, limit=limit, containing=containing
            )
        yield page
        if page.rest is None:
            return
        rest = page.rest


def ids_of(found: Iterator[paging.JobPage]) -> list[int]:
    return sorted(job.id for page in found for job in page.jobs)


def test_each_job_comes_once(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BLOCK", 50)
    first = put(broker, 20)
    gone = put(broker, 300, "other")
    middle = put_buried(broker, 15)
    last = put(broker, 20, delay=99)
    delete(broker, gone)

    found = list(pages(broker))

    assert ids_of(iter(found)) == first + middle + last
    assert {len(page.jobs) for page in found} <= {7, 55 % 7}
    assert [page.looked_at for page in found] == [*range(7, 55, 7), 55]
    assert {page.total for page in found} == {55}
    assert ids_of(pages(broker, "buried")) == middle
    assert ids_of(pages(broker, containing='"n": 3')) == [first[3], middle[3], last[3]]


def test_short_time(broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some jobs are looked at, even if no time is left."""
    monkeypatch.setattr(paging, "_BATCH", 10)
    ids = put(broker, 25)
    with Operator(broker.url) as operator:
        page = operator.page("t", seconds=0)

        assert [job.id for job in page.jobs] == ids[:10]
        assert (page.looked_at, page.total) == (10, 25)
        page = operator.page("t", seconds=0, containing="no such text", rest=page.rest)
        assert (page.jobs, page.looked_at) == ([], 20)
        assert page.rest is not None


def test_jobs_that_come_and_go(broker: Beanstalkd) -> None:
    """The search ends at the last id then: jobs that are gone stand for no others."""
    ids = put(broker, 30)
    found = pages(broker)
    seen = [job.id for job in next(found).jobs]
    delete(broker, seen)
    new = put(broker, 3)

    assert seen + ids_of(found) == ids + new


def test_noted_jobs(broker: Beanstalkd) -> None:
    ids = put_buried(broker, 5)
    for job_id in ids[1:]:
        put_note(broker, job_id)
    with Operator(broker.url) as operator:
        first = operator.page("t", "buried", limit=3, error="ValueError")
        second = operator.page("t", error="ValueError", rest=first.rest)

    assert [job.id for job in first.jobs + second.jobs] == ids[1:]
    assert (first.looked_at, first.total) == (3, 4)
    assert (second.looked_at, second.rest) == (4, None)


def test_no_tube(broker: Beanstalkd) -> None:
    with Operator(broker.url) as operator:
        assert operator.page("t") == ([], 0, 0, None)


def test_restart(socket_folder: Path, tmp_path: Path) -> None:
    """The search begins again, as ids may be others; and it ends."""
    require_beanstalkd()
    path = socket_folder / "b.sock"
    with Beanstalkd(path, "-b", str(tmp_path), program=REAL) as broker:
        ids = put_buried(broker, 10)
        found = pages(broker)
        next(found)
        broker.kill()
        path.unlink()
        broker.start()

        assert ids_of(found) == ids


def test_hostile_rest(broker: Beanstalkd) -> None:
    """It comes from a URL: anybody may have written it."""
    put(broker, 20)
    with Operator(broker.url) as operator:
        rest = operator.page("t", limit=5).rest
        assert rest is not None
        assert set(rest) <= set("0123456789.-")
        for text in ("", "x", "1", rest + "x", rest + "." + "1-2." * 400, "-" + rest):
            with pytest.raises(OptionError, match="is not the rest of a search"):
                operator.page("t", rest=text)
        server, _, _, *others = rest.split(".")
        many = ".".join((server, "0", "9" * 20, *others))
        assert len(operator.page("t", rest=many, seconds=0).jobs) <= 20
        for gaps in ("0-0", f"{'9' * 20}-{'9' * 20}", "30-1", f"1-{'9' * 20}"):
            head = ".".join(rest.split(".")[:-1])
            odd = operator.page("t", rest=f"{head}.{gaps}")
            assert len(odd.jobs) <= 20
    with Operator(broker.url) as operator, pytest.raises(OptionError, match="limit"):
        operator.page("t", limit=0)
