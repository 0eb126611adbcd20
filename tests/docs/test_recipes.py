"""The pages of recipes that need no framework: what they say happens.

They are recipes/at-most, recipes/fan-out, recipes/finished, recipes/large-data,
recipes/nightly, recipes/transactions (its outbox) and recipes/unique.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from jobqueue import JobTooBigError, Retry
from jobqueue.testing import RanJob, run_jobs
from tests.helpers.pages import blocks, write_page
from tests.helpers.printed_commands import sh
from tests.helpers.servers import Beanstalkd
from tests.helpers.shop import Shop, take

Load = Callable[[str, str], ModuleType]
Run = Callable[[], list[RanJob]]


@pytest.fixture
def load(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that imports a module of the shop, which a page prints."""
    monkeypatch.chdir(tmp_path)  # its database is there

    def load(page: str, name: str) -> ModuleType:
        write_page(f"recipes/{page}", tmp_path)
        return shop.module(name)

    return load


@pytest.fixture
def run(broker: Beanstalkd) -> Run:
    return lambda: run_jobs(broker.url, reraise=False)


def test_no_faster(load: Load, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job lasts for the pause at least."""
    module = load("at-most", "slowly")
    monkeypatch.setattr(module, "PAUSE", 0.05)
    with module.queue:
        module.ask_the_api.put_many({"number": n} for n in range(3))
        started = time.monotonic()
        run()
    assert time.monotonic() - started >= 3 * 0.05


def test_pause(
    load: Load, run: Run, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tube is paused, and the job that was refused is tried again."""
    module = load("at-most", "limited")
    monkeypatch.setattr(module.TooManyRequests, "retry_after", 1000)
    with module.queue:
        module.report.put(1)
        (ran,) = run()
        tube = module.queue.operator.tube("limited")

    assert isinstance(ran.error, Retry)
    assert broker.counts("limited") == {"ready": 1}  # as run_jobs makes retries
    assert tube.paused > 900


def test_book_once(load: Load, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    module = load("unique", "unique")
    with module.database() as db, db:
        db.execute("INSERT INTO orders VALUES (7, 0)")
    with module.queue:
        module.book_payment.put(7)
        module.book_payment.put(7)
        run()
    assert capsys.readouterr().out == "Booked order 7\n"


def test_put_once(load: Load, broker: Beanstalkd) -> None:
    """A change while a job waits puts none; one after it has begun does."""
    module = load("unique", "reindex")
    with module.queue:
        for _ in range(3):
            module.product_changed(1)
        assert broker.counts("reindex") == {"delayed": 1}
        module.reindex(1)
        module.product_changed(1)
    assert broker.counts("reindex") == {"delayed": 2}


def test_finished(load: Load, run: Run) -> None:
    module = load("finished", "reports")
    with module.queue:
        good, bad = module.request_report(5), module.request_report(13)
        assert module.state_of(good) == ("waits", None)
        run()
    assert module.state_of(good) == ("done", "report of month 5")
    assert module.state_of(bad) == ("failed", "there is no month 13")


def test_fan_out(load: Load, run: Run) -> None:
    module = load("fan-out", "newsletter")
    with module.queue:
        module.send_issue.put("May")
        ran = run()
    assert [job.func_name for job in ran] == ["send_issue", "send_mail", "send_mail"]


def test_counting_down(load: Load, run: Run) -> None:
    """The last part puts the join, also if it runs twice."""
    module = load("fan-out", "video")
    with module.queue:
        module.convert("a", 3)
        ran = run()
        assert [job.func_name for job in ran] == ["convert_part"] * 3 + ["join"]
        module.convert_part.put("a", 2)
        ran = run()
    assert [job.func_name for job in ran] == ["convert_part", "join"]


def test_large_data(load: Load, run: Run) -> None:
    module = load("large-data", "images")
    with module.queue:
        name = module.upload(b"x" * 100_000)
        assert [job.error for job in run()] == [None]
        assert not (module.uploads / name).exists()
        module.make_thumbnail.put(name)
        assert [job.error for job in run()] == [None]
        with pytest.raises(JobTooBigError):
            module.make_thumbnail.put("x" * 65_536)


def test_outbox(load: Load, broker: Beanstalkd) -> None:
    module = load("transactions", "outbox")
    engine = sa.create_engine("sqlite://")
    module.Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(module.Outbox(arguments={"order_id": n}) for n in (1, 2))
        session.commit()
        assert module.put_jobs(session) == 2
        assert module.put_jobs(session) == 0
    engine.dispose()
    assert list(take(broker).values()) == [1, 2]


def test_crontab(shop: Shop, broker: Beanstalkd, tmp_path: Path) -> None:
    """The command of the crontab puts a job of the task, which names the day."""
    write_page("recipes/nightly", tmp_path)
    module = tmp_path / "shop/nightly.py"
    periodic = r"^    (?:cron|tz|late)=.*\n"  # what the page says to leave out
    module.write_text(re.sub(periodic, "", module.read_text(), flags=re.MULTILINE))
    (line,) = blocks("recipes/nightly", "text")
    command = line.split(None, 5)[5].replace(".venv/bin/", "")

    done = sh(command.replace("/srv/app", str(shop.folder)), broker, tmp_path)

    assert (done.stdout, done.stderr) == ("", "")
    with broker.client("nightly") as client:
        body = json.loads(client.reserve(timeout=0).body)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", body["kwargs"]["day"])


def test_day_of_a_schedule(
    load: Load, run: Run, broker: Beanstalkd, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that a schedule put names the day when it was due."""
    load("nightly", "nightly")
    due = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)
    header = f'{{"jobqueue-due":"{due.timestamp():.0f}"}}'
    body = '{"func_name":"close_day","tube":"nightly","kwargs":{},"headers":%s}'
    with broker.client("nightly") as client:
        client.put((body % header).encode())
    run()
    assert capsys.readouterr().out == "Closed 2026-11-26\n"
