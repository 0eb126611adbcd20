"""What the pages show, whatever there is in the broker."""

import html
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from jobqueue import JobQueue
from jobqueue.broker.connection import Connection
from jobqueue.operating.operator import Operator
from tests.helpers.noted_failure import put_note
from tests.helpers.page import Page
from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.terminal import body, put, put_buried
from tests.helpers.ticks import put_tick

SCRIPT = '<script>alert("x")</script><img src=x onerror=alert(1)>'
EVIL = f"{SCRIPT}\u202e\x1b[2J\x00\u2028'\"&"
URL_EVIL = quote(EVIL)
LONG = "t-" + "x" * 198


@pytest.fixture
def page(queue: JobQueue) -> Page:
    return Page(queue, allow_actions=True)


def words(text: str) -> str:
    """Return what a reader sees of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_tubes(page: Page, broker: Beanstalkd) -> None:
    put(broker, 2)
    put_buried(broker, 3)
    broker.put(b"x", LONG)
    with broker.client("busy") as client:
        client.pause_tube("busy", 5400)
        text = page.text("/")

    shown = words(text)
    assert "beanstalkd 1." in shown
    assert "no binlog" in shown
    assert "jobs of up to 65,535 bytes" in shown
    assert re.search(
        r"busy paused, 1h (30|29)m left 0 0 0 0 0 of 1 - - - \u2013", shown
    )
    assert re.search(r" t no worker 2 0 0 3 0 of 0 - - - put \ds ago", shown)
    assert LONG in shown
    assert "jobqueue.failures" not in shown


def test_tube_without_workers(page: Page, broker: Beanstalkd) -> None:
    """One whose jobs nobody takes is in trouble, as one with buried jobs is."""
    for tube in ("a-watched", "b-left", "c-buried", "d-left"):
        broker.put(b"x", tube)
    put_buried(broker, 1, "c-buried")
    with broker.client("a-watched"):
        text, left = page.text("/"), page.text("/tube?name=b-left")
        watched = page.text("/tube?name=a-watched")

    rows = re.findall(r'id="tube-([^"]*)"( class="alarm")?', text)
    assert [name for name, _ in rows] == [
        "b-left",
        "c-buried",
        "d-left",
        "a-watched",
        "default",
    ]
    assert [bool(alarm) for _, alarm in rows] == [True, True, True, False, False]
    assert "No worker watches this tube" in left
    assert "No worker" not in watched


def test_tubes_by_name_and_in_order(page: Page, broker: Beanstalkd) -> None:
    for number in range(60):
        broker.put(b"x", f"tube-{number:02}")
    put_buried(broker, 1)

    first, second = page.text("/?sort=name"), page.text("/?sort=name&page=2")

    in_trouble = re.findall(r'id="tube-([^"]*)"', page.text("/"))
    assert in_trouble[0] == "t"
    assert ("tube-00" in first, "tube-59" in first) == (True, False)
    assert ("tube-00" in second, "tube-59" in second) == (False, True)
    assert re.findall(r'id="tube-([^"]*)"', page.text("/?q=BE-07")) == ["tube-07"]
    by_buried = re.findall(r'id="tube-([^"]*)"', page.text("/?sort=buried"))
    assert by_buried[0] == "t"
    assert "tube-59" in page.text("/?page=99999")
    assert "No tube has such a name" in page.text("/?q=none")
    assert page.text("/?page=x&sort=x&q=")


def test_round_trips_of_the_first_page(
    page: Page, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are a few for all tubes, and none is a look at jobs but at the next one."""
    for number in range(120):
        broker.put(b"x", f"tube-{number:03}")
    asked: list[str] = []
    ask, ask_many = Connection.ask, Connection.ask_many

    def seen(self: Connection, command: bytes, read: Any) -> object:
        asked.append(command.split()[0].decode())
        return ask(self, command, read)

    def seen_many(self: Connection, commands: Iterable[bytes], read: Any) -> object:
        asked.append("many")
        return ask_many(self, commands, read)

    monkeypatch.setattr(Connection, "ask", seen)
    monkeypatch.setattr(Connection, "ask_many", seen_many)

    page.text("/")
    page.get("/", Jobqueue_Refresh="1")  # from the sample that there is

    assert asked == ["list-tubes", "many", "stats", "many", "many"]


def test_rates_and_lines(queue: JobQueue, broker: Beanstalkd) -> None:
    """They come with the second sample; the line is one of ready jobs."""
    page = Page(queue)
    samples = page.site.samples
    put(broker, 3)
    page.text("/")
    put(broker, 2)
    samples.expire()

    text = page.text("/")

    assert "Ready jobs of t: now 5, at most 5 in the last minutes" in text
    assert re.search(r'data-label="put/s" class="n ">[0-9.,]+<', text)


def test_jobs_of_a_tube(page: Page, broker: Beanstalkd) -> None:
    ids = put_buried(broker, 3)
    ready = put(broker, 2)
    put_note(broker, ids[1], text="no such address", ago=70)
    found = re.compile(r'href="/jobs/(\d+)"')

    def jobs(query: str) -> list[int]:
        return sorted(map(int, found.findall(page.text(f"/tube?name=t{query}"))))

    assert jobs("") == ids  # buried jobs are what people come for
    assert jobs("&state=ready") == ready
    assert jobs("&state=all&func=send") == ids + ready
    assert jobs("&state=all&func=other") == []
    assert jobs("&state=buried&error=ValueError") == [ids[1]]
    assert jobs("&state=buried&since=30s") == []
    assert jobs("&state=buried&since=2m") == [ids[1]]
    assert jobs('&state=ready&text="n": 1') == ready[1:]
    assert jobs("&state=all&age=1h") == []
    assert "ValueError: no such address 1m ago" in words(page.text("/tube?name=t"))
    assert page.get("/tube?name=none").status_code == 404
    assert page.get("/tube").status_code == 404
    assert page.get("/tube?name=a%0d%0ab").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("age=soon", "Older than has to be a time, such as 90s"),
        ("since=999999w", "Failed within is limited to a hundred years"),
        ("rest=nonsense", "is not the rest of a search"),
    ],
)
def test_wrong_filters(page: Page, broker: Beanstalkd, wrong: str, said: str) -> None:
    """The form stays, with what was typed and what is wrong."""
    broker.put(b"x")

    shown = page.get(f"/tube?name=t&func=send&{wrong}")

    assert shown.status_code == 400
    assert said in words(shown.text)
    assert '<details class="find" open>' in shown.text
    assert 'name="func" value="send"' in shown.text


def test_many_jobs_of_a_tube(page: Page, broker: Beanstalkd) -> None:
    """A page goes on where the one before has stopped."""
    ids = put(broker, 120)
    path: str | None = "/tube?name=t&state=ready"
    found: list[str] = []
    pages = 0

    text = ""
    while path:
        text = page.text(path)
        found += re.findall(r'href="/jobs/(\d+)"', text)
        link = re.search(r'href="([^"]*)#jobs" rel="next"', text)
        path = html.unescape(link[1]) if link else None
        pages += 1

    assert sorted(map(int, found)) == ids
    assert pages == 3
    assert "Searched all 120" in words(text)


def test_refresh_looks_for_no_jobs(page: Page, broker: Beanstalkd) -> None:
    job_id = put_buried(broker, 1)[0]
    put_note(broker, job_id)

    refreshed = page.get("/tube?name=t", Jobqueue_Refresh="1").text

    assert f"/jobs/{job_id}" not in refreshed
    assert 'id="counts" data-live' in refreshed
    job = page.get(f"/jobs/{job_id}", Jobqueue_Refresh="1").text
    assert "Buried" in job
    assert "Traceback" not in job


def test_failures(page: Page, broker: Beanstalkd) -> None:
    ids = put_buried(broker, 3)
    put_note(broker, ids[0], error="app.Timeout", text="slow")
    put_note(broker, ids[1], func_name=None, error="BadJobError")
    put_note(broker, 99, tube="other", kind="deleted", body=body(1))
    broker.put(b"x", "other")

    text = page.text("/failures")
    links = [
        html.unescape(found) for found in re.findall(r'href="([^"]*group[^"]*)', text)
    ]
    groups = [words(page.text(link)) for link in links]

    assert [("app.Timeout" in group, "Kick 1 job" in group) for group in groups] == [
        (False, True),
        (True, True),
        (False, False),
    ]
    assert "in no function , tube t" in groups[0]
    assert f"{ids[0]} buried" in groups[1]
    assert "Put 1 deleted job again" in groups[2]
    assert "1 more buried job without a note of why" in words(text)
    assert words(page.text("/failures?tube=other")).count("ago") == 2
    assert page.get("/failures/group?tube=t&error=None").status_code == 404
    assert page.get("/failures/group?tube=t").status_code == 400


def test_whom_a_group_hits(
    queue: JobQueue, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls are on its page, each asked for once, and the last traceback."""
    ids = put_buried(broker, 3)
    for job_id, text in zip(ids, ("slow", "slow", "other"), strict=True):
        put_note(broker, job_id, text=text, traceback=f"Traceback\n {text}", ago=job_id)
    put_note(broker, 99, kind="retried", ago=50)  # and then it was done
    group = "/failures/group?tube=t&func=send&error=ValueError"
    page = Page(queue)
    asked: list[int] = []
    records = Operator.job_records

    def seen(self: Operator, *wanted: int) -> object:
        asked.extend(wanted)
        return records(self, *wanted)

    monkeypatch.setattr(Operator, "job_records", seen)
    text = page.text(group)
    refreshed = page.get(group, Jobqueue_Refresh="1").text
    hidden = Page(queue, hide_arguments=True)

    for shown in map(words, (text, refreshed)):
        assert [shown.count(f"send(n={n})") for n in range(3)] == [1, 1, 1]
        assert f"Traceback of job {ids[0]} Traceback slow" in shown
        assert shown.count("slow") == 2  # where all jobs say the same, it is said once
        assert "no such address" in shown
    assert ("<details open>" in text, "<details open>" in refreshed) == (True, False)
    assert sorted(asked) == ids
    assert "send(n=" not in hidden.text(group)


def test_failures_of_a_tube_that_is_gone(page: Page, broker: Beanstalkd) -> None:
    """It goes with its last job and its last worker; why these failed stays."""
    put_note(broker, 98, tube="gone", kind="deleted", body=body(7))

    text = page.text("/failures")
    (link,) = re.findall(r'href="([^"]*/group[^"]*)', text)

    assert "in send , tube gone" in words(text)
    assert "Put 1 deleted job again" in words(page.text(html.unescape(link)))
    assert words(page.text("/failures?tube=gone")).count("ago") == 2
    assert 'id="tube-gone"' not in page.text("/")


def test_a_job(page: Page, broker: Beanstalkd) -> None:
    job_id = put_buried(broker, 1)[0]
    put_note(broker, job_id, traceback="Traceback (most recent call last):\n  here\n")

    text = words(page.text(f"/jobs/{job_id}"))

    assert "send(n=0)" in text
    assert "Tried once, buried once" in text
    assert "ValueError : no such address" in text
    assert "Traceback (most recent call last): here" in text
    assert f"jobqueue kick --job {job_id}" in text
    assert "jobqueue put t send n=0" in text
    assert "All that failed alike" in text
    assert page.get(f"/jobs/{job_id}/body").content == body(0)
    assert page.get("/jobs/99").status_code == 404
    assert page.get(f"/jobs/{'9' * 5000}").status_code == 404
    assert page.get(f"/jobs/{2**70}").status_code == 404
    found = page.get(f"/job?id=+{job_id}+")
    assert found.headers["location"] == f"/jobs/{job_id}"
    for typed in ("", "?id=", "?id=x", "?id=..%2F", "?id=1%0d%0aX", f"?id={10**30}"):
        assert page.get(f"/job{typed}").status_code == 404


def test_a_job_that_is_gone(page: Page, broker: Beanstalkd) -> None:
    put_note(broker, 98, kind="deleted", body=body(7))

    text = words(page.text("/jobs/98"))

    assert "This job is gone" in text
    assert "deleted: it had been kicked too often, after attempt 1" in text
    assert '"n": 7' in text
    live, stays = page.text("/jobs/98").split("</section>")  # by a refresh
    assert ("Put again" in live, "Put again" in stays) == (False, True)


def test_schedules(page: Page, broker: Beanstalkd) -> None:
    # At each time of the day some days and hours ago.
    put_tick(broker, func_name="late", due=int(time.time()) - 9 * 86400 - 5400)
    put_tick(broker)

    first = words(page.text("/"))
    text = words(page.text("/schedules"))

    assert " 1 schedule is late. " in first
    assert "late every 86400 s , tube reports" in text
    assert re.search(r"9d 1h late \u2013 \u2013 none Run now Delete", text)
    assert re.search(r"nightly .* in (1h|59m \d+s) \u2013 \u2013 none", text)
    assert "jobqueue.schedule" not in page.text("/")


def test_text_of_others(page: Page, broker: Beanstalkd) -> None:
    """Nothing that anybody puts becomes a tag, or turns the direction of reading."""
    bodies = [
        body(EVIL),
        EVIL.encode(),
        b"\xff\xfe" + SCRIPT.encode(),
        b'{"func_name":"<b>","tube":"t","kwargs":{"<i>":"\\u202e<u>"}}',
        b"",
    ]
    ids = [broker.put(data) for data in bodies]
    put_note(broker, ids[0], func_name=EVIL, error=EVIL, text=EVIL, traceback=EVIL)
    put_buried(broker, 1)
    groups = page.text("/failures")
    link = html.unescape(re.findall(r'href="([^"]*/group[^"]*)', groups)[0])
    pages = [
        page.text("/"),
        page.text("/tube?name=t&state=all"),
        groups,
        page.text(link),
        *(page.text(f"/jobs/{job_id}") for job_id in ids),
        page.text(link.replace("/failures/group", "/confirm") + "&do=kick-group"),
        page.get(f"/tube?name={URL_EVIL}").text,
        page.text(f"/tube?name=t&func={URL_EVIL}&error={URL_EVIL}&text={URL_EVIL}"),
        page.get(f"/tube?name=t&age={URL_EVIL}").text,
        page.get(f"/confirm?do={URL_EVIL}").text,
    ]

    for text in pages:
        assert "<script>" not in text
        assert not re.search(r"<(b|i|u|img)\b", text)
        outside_of_fields = re.sub(r'<input [^>]* value="[^"]*"', "", text)
        assert not re.search("[\u202e\x1b\x00\u2028]", outside_of_fields)
        assert not re.search(r'\son\w+="', text)
        assert not re.search(r"<style|style=|javascript:", text)


def test_large_body(socket_folder: Path) -> None:
    broker = Beanstalkd(socket_folder / "z.sock", "-z", str(2**21))
    with broker, JobQueue(broker.url) as queue:
        job_id = broker.put(b'{"x":"%b"}' % (b"\xe2\x82\xac" * 350_000))
        page = Page(queue)

        text = page.text(f"/jobs/{job_id}")

        assert len(text) < 150_000
        assert "of which the middle is left out here" in words(text)
        assert len(page.get(f"/jobs/{job_id}/body").content) > 2**20
        assert len(page.text("/tube?name=t")) < 15_000


def test_hidden_arguments(queue: JobQueue, broker: Beanstalkd) -> None:
    page = Page(queue, hide_arguments=True)
    job_id = broker.put(body("secret"))
    odd = broker.put(b"secret")

    for path in (f"/jobs/{job_id}", "/tube?name=t&state=all", f"/jobs/{odd}"):
        assert "secret" not in page.text(path)
    assert "send(n=…)" in page.text(f"/jobs/{job_id}")
    assert page.get(f"/jobs/{job_id}/body").status_code == 403
    assert page.get("/tube?name=t&text=s").status_code == 403


def test_broker_away(queue: JobQueue, broker: Beanstalkd) -> None:
    """The page says so, with 503 for a monitor, and comes back with the broker."""
    page = Page(queue)
    page.text("/")
    broker.kill()
    page.site.samples.expire()

    away = page.get("/")

    assert away.status_code == 503
    assert "The broker is away" in words(away.text)
    assert '<meta http-equiv="refresh" content="5">' in away.text  # without scripts
    for path in ("/tube?name=t", "/failures", "/jobs/1", "/schedules"):
        assert page.get(path).status_code == 503
    with Beanstalkd(Path(str(broker.target))):
        eventually_true(lambda: page.get("/").status_code == 200)


def test_rows_of_groups_keep_their_ids(page: Page, broker: Beanstalkd) -> None:
    """When another group comes first, a refresh moves rows, and focus with them."""
    first, *others = put_buried(broker, 3)
    put_note(broker, first, error="KeyError")
    (row,) = re.findall(r'id="(group-\w+)"', page.text("/failures"))
    for job_id in others:
        put_note(broker, job_id)
    page.site.failures.expire()
    page.site.samples.expire()

    rows = re.findall(r'id="(group-\w+)"', page.text("/failures"))

    assert len(set(rows)) == 2
    assert rows[1] == row


def test_notes_of_many_tubes_are_read_once(
    page: Page, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh reads none again, however many tubes have failures."""
    for number in range(120):
        put_note(broker, broker.put(b"x", f"t{number}"), tube=f"t{number}")
    asked: list[str] = []
    read = Operator.notes

    def counted(self: Operator, tube: str, view: Any) -> Any:
        asked.append(tube)
        return read(self, tube, view)

    monkeypatch.setattr(Operator, "notes", counted)
    page.text("/failures")
    page.site.samples.expire()
    page.text("/failures")

    assert len(asked) == 120
