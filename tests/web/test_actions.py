"""What the page changes: each change counted, logged, and told at the end."""

import html
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobqueue import JobQueue, Worker
from jobqueue.broker.operating import OperatorConnection
from jobqueue.errors import BrokerUnreachableError, ConnectionLostError
from jobqueue.operating.operator import Operator
from jobqueue.web.actions.changes import CHUNK, Change
from tests.helpers.noted_failure import put_note
from tests.helpers.notes import burials
from tests.helpers.page import OURS, Page
from tests.helpers.servers import Beanstalkd, eventually, eventually_true
from tests.helpers.terminal import body, put, put_buried
from tests.helpers.ticks import put_tick
from tests.helpers.web_process import WebProcess

GROUP = {"tube": "t", "func": "send", "error": "ValueError"}


@pytest.fixture
def page(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> Page:
    caplog.set_level(logging.INFO, "jobqueue.web")
    return Page(queue, allow_actions=True)


def test_kick_a_group(
    page: Page, broker: Beanstalkd, caplog: pytest.LogCaptureFixture
) -> None:
    """In chunks; jobs that failed in another way stay as they are."""
    ids = put_buried(broker, CHUNK + 2)
    for job_id in ids[1:]:
        put_note(broker, job_id)
    put_note(broker, ids[0], error="mod.ValueError")

    asked = page.text("/confirm?do=kick-group&tube=t&func=send&error=ValueError")
    said = page.outcome("kick-group", **GROUP)

    jobs = CHUNK + 1
    assert f"Kick {jobs} buried jobs, of send in tube" in asked
    assert f"Kicked {jobs} jobs of tube &#39;t&#39;." in said
    assert broker.counts("t") == {"ready": jobs, "buried": 1}
    assert len(burials(broker)) == 1
    first, second = caplog.messages
    assert first.startswith(f"Kicked {CHUNK} jobs of tube 't', for 127.0.0.1: ")
    assert second == f"Kicked 1 job of tube 't', for 127.0.0.1: {ids[-1]}"
    logged = [record.__dict__["job_ids"] for record in caplog.records]
    assert [*logged[0], *logged[1]] == ids[1:]


def test_a_kicked_group_leaves_its_page(page: Page, broker: Beanstalkd) -> None:
    """None of its jobs is listed as buried, and the way to where they are is shown."""
    for job_id in put_buried(broker, 2):
        put_note(broker, job_id)

    sent = page.act("kick-group", **GROUP).headers["location"]
    page.notice(sent)
    refreshed = page.get(sent, Jobqueue_Refresh="1").text

    assert 'id="jobs"' in refreshed
    assert 'href="/jobs/' not in refreshed
    assert '<a href="/tube?name=t">See the tube</a>' in refreshed


def test_more_than_are_noted(page: Page, broker: Beanstalkd) -> None:
    """The group, and the question, say that others may have failed alike."""
    put_note(broker, put_buried(broker, 4)[0])

    group = page.text("/failures/group?tube=t&func=send&error=ValueError")
    assert "3 more buried jobs of the tube may have failed alike" in group
    for do in ("kick-group", "delete-group"):
        asked = page.text(f"/confirm?do={do}&tube=t&func=send&error=ValueError")
        assert "3 buried jobs of the tube without a note" in asked


def test_delete_a_group(page: Page, broker: Beanstalkd) -> None:
    ids = put_buried(broker, 3)
    for job_id in ids[1:]:
        put_note(broker, job_id)

    said = page.outcome("delete-group", **GROUP)

    assert "Deleted 2 jobs" in said
    assert broker.counts("t") == {"buried": 1}


def test_put_a_group_again(
    page: Page,
    broker: Beanstalkd,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In chunks, whose notes are read once; also if the tube went with its last job."""
    jobs = CHUNK + 1
    for number in range(jobs):
        put_note(broker, 1000 + number, kind="deleted", body=body(number))
    put_note(broker, 92, kind="retried")
    reads: list[object] = []
    read = Operator.notes

    def counted(self: Operator, *given: Any) -> Any:
        reads.append(given)
        return read(self, *given)

    monkeypatch.setattr(Operator, "notes", counted)

    group = page.text("/failures/group?tube=t&func=send&error=ValueError")
    asked = page.text("/confirm?do=put-group&tube=t&func=send&error=ValueError")
    before = len(reads)
    said = page.outcome("put-group", **GROUP)

    assert f"Put {jobs} deleted jobs again" in group
    assert f"Put {jobs} deleted jobs again, of send in tube" in asked
    assert f"Put {jobs} jobs" in said
    assert len(reads) - before <= 3
    assert broker.counts("t") == {"ready": jobs}
    assert burials(broker) == []
    first, second = caplog.messages
    assert first.startswith(f"Put {CHUNK} jobs of tube 't', deleted as 1000, 1001, ")
    (new_id,) = caplog.records[1].__dict__["job_ids"]
    assert second == (
        f"Put 1 job of tube 't', deleted as {999 + jobs}, for 127.0.0.1: {new_id}"
    )


def test_last_kicks_are_told(page: Page, broker: Beanstalkd) -> None:
    job_id = put_buried(broker, 1)[0]
    with broker.client("t") as client:
        for _ in range(2):
            client.kick_job(job_id)
            client.bury(client.reserve(timeout=5))
    put_note(broker, job_id)

    for asked in (
        "kick-group&tube=t&func=send&error=ValueError",
        "kick-tube&tube=t",
        "kick-found&tube=t&state=buried&func=send",
    ):
        question = page.text(f"/confirm?do={asked}")
        assert "For 1 job it is kick 3 or later" in question
    job = page.text(f"/jobs/{job_id}")
    assert "after its next kick, it is deleted, unless its task has another" in job
    put_note(broker, job_id, kicks=2, last_kick=True)
    page.site.failures.expire()
    assert "For 1 job it is the last kick" in page.text("/confirm?do=kick-tube&tube=t")
    assert "after its next kick, it is deleted." in page.text(f"/jobs/{job_id}")
    put_note(broker, job_id, kicks=2, last_kick=False)  # max_kicks=None
    page.site.failures.expire()
    assert "is deleted" not in page.text("/confirm?do=kick-tube&tube=t")
    assert "next kick" not in page.text(f"/jobs/{job_id}")


def test_a_whole_tube(page: Page, broker: Beanstalkd) -> None:
    put_buried(broker, 3)
    put(broker, 2, delay=60)

    asked = page.text("/confirm?do=kick-tube&tube=t")
    assert "Kick all 3 buried jobs of tube" in asked
    assert "Kicked 3 jobs" in page.outcome("kick-tube", tube="t")
    assert broker.counts("t") == {"ready": 3, "delayed": 2}
    assert "Deleted 3 jobs" in page.outcome("clear-tube", tube="t", state="ready")
    assert broker.counts("t") == {"delayed": 2}
    assert page.act("clear-tube", tube="t", state="reserved").status_code == 400
    asked = page.text("/confirm?do=kick-tube&tube=t")
    assert "There are no such jobs any more" in asked
    assert "<form" not in asked


def test_one_job(page: Page, broker: Beanstalkd) -> None:
    first, second = put_buried(broker, 2)

    assert f"Kicked job {first}." in page.outcome("kick-job", id=first)
    assert "it is not buried any more" in page.outcome("kick-job", id=first)
    assert "Delete job" in page.text(f"/confirm?do=delete-job&id={second}")
    sent = page.act("delete-job", id=second)
    assert sent.status_code == 303
    assert broker.counts("t") == {"ready": 1}
    with broker.client("t") as client:
        client.reserve(timeout=5)
        assert "reserved by a worker" in page.outcome("delete-job", id=first)


def test_put_a_deleted_job_again(page: Page, broker: Beanstalkd) -> None:
    put_note(broker, 98, kind="deleted", body=body(7))

    sent = page.act("put-job-again", id=98)

    assert sent.status_code == 303
    assert broker.counts("t") == {"ready": 1}


def test_pause_and_resume(page: Page, broker: Beanstalkd) -> None:
    broker.put(b"x")

    said = page.outcome("pause", tube="t", seconds=5400)
    paused = page.text("/tube?name=t")
    assert "is paused for 1h 30m." in said
    assert re.search(r"hands out no jobs for 1h (30|29)m", paused)
    assert 'value="resume"' in paused
    assert "hands out jobs again" in page.outcome("resume", tube="t")
    assert 'value="pause"' in page.text("/tube?name=t")
    for seconds in ("", "0", "-1", "x", "1e3", "9" * 30):
        assert page.act("pause", tube="t", seconds=seconds).status_code == 400
    assert page.act("pause", tube="a b", seconds=1).status_code == 400


def test_put(broker: Beanstalkd) -> None:
    """It is signed as those of the queue are."""
    ran = []
    queue = JobQueue(broker.url, secret="0123456789abcdef")

    @queue.task("t")
    def send(to: str) -> None:
        ran.append(to)

    form = {"tube": "t", "func_name": "send", "delay": 0, "priority": 9, "ttr": 60}
    with queue:
        page = Page(queue, allow_actions=True)
        broker.put(b"x")
        sent = page.act("put", **form, kwargs='{"to": "ada"}').headers["location"]
        assert "Job 2 was put into tube" in page.notice(sent)
        assert '<a href="/jobs/2">See the job</a>' in page.text(sent)
        assert page.act("put", **form, kwargs="{}" + " " * 2**20).status_code == 413
    Worker(max_jobs=1).run()

    assert ran == ["ada"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kwargs": "[1]"}, "The arguments have to be an object"),
        ({"kwargs": "{"}, "The arguments are not JSON"),
        ({"kwargs": "[" * 10_000}, "The arguments are not JSON"),
        ({"kwargs": '{"n": "%s"}' % ("x" * 70_000)}, "is too big"),
        ({"func_name": "no name"}, "is not the name of a task"),
        ({"func_name": " "}, "is not the name of a task"),
        ({"ttr": 0}, "ttr has to be a whole number"),
    ],
)
def test_wrong_put(
    page: Page, broker: Beanstalkd, wrong: dict[str, object], said: str
) -> None:
    """The form comes back, with what was typed and what is wrong."""
    broker.put(b"x")
    form = {"tube": "t", "func_name": "send", "delay": 0, "priority": 9, "ttr": 60}

    sent = page.act("put", **form | {"kwargs": "{}"} | wrong)

    there = page.text(sent.headers["location"])
    assert sent.headers["location"].endswith("#put")
    assert said in html.unescape(there)
    assert '<details id="put" open>' in there
    assert 'name="priority" inputmode="numeric" value="9"' in there
    (field,) = re.findall(r'<textarea name="kwargs"[^>]*>([^<]*)<', there)
    assert html.unescape(field) == wrong.get("kwargs", "{}")
    assert broker.counts("t") == {"ready": 1}


def test_wrong_put_of_much(page: Page) -> None:
    """What is too long to be remembered is told of all the same."""
    form = {"tube": "t", "func_name": "send", "delay": 0, "priority": 9, "ttr": 60}

    refused = page.act("put", **form, kwargs="[" * 200_000)

    assert refused.status_code == 400
    assert "The arguments are not JSON" in refused.text


def test_schedules(page: Page, broker: Beanstalkd) -> None:
    put_tick(broker)
    name = "reports/nightly"

    asked = page.text(f"/confirm?do=run-schedule&name={name}")
    assert "Run reports/nightly now?" in asked
    said = page.outcome("run-schedule", name=name)
    assert re.search(r"Job \d+ of reports/nightly", said)
    assert broker.counts("reports") == {"ready": 1}
    assert "was deleted" in page.outcome("delete-schedule", name=name)
    assert "There is no schedule" in page.outcome("run-schedule", name=name)


@pytest.mark.parametrize("form", [{}, {"do": "none"}, {"do": "kick-group"}])
def test_wrong_forms(page: Page, form: dict[str, str]) -> None:
    sent = page.browser.post("/act", data=form, headers=OURS)

    assert sent.status_code in {400, 415}


def test_other_bodies(page: Page) -> None:
    for content, kind in [
        (b"do=pause", "text/plain"),  # what a foreign form may send unasked
        (b"do=pause", "multipart/form-data"),
        (b"do=" + b"\xff", "application/x-www-form-urlencoded"),
        (b"a=1&" * 60, "application/x-www-form-urlencoded"),
    ]:
        headers = {**OURS, "content-type": kind}
        sent = page.browser.post("/act", content=content, headers=headers)
        assert sent.status_code in {400, 415}


def test_progress(
    page: Page, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs, the page says how far it is; others can start only a few more."""
    ids = put_buried(broker, 3)
    for job_id in ids:
        put_note(broker, job_id)
    go_on = threading.Event()
    kick = Operator.kick

    def slow(self: Operator, *given: int) -> list[int]:
        go_on.wait(20)
        return kick(self, *given)

    monkeypatch.setattr(Operator, "kick", slow)

    paths = [page.act("kick-group", **GROUP).headers["location"] for _ in range(4)]
    assert page.act("kick-group", **GROUP).status_code == 429
    assert "Kicking 0 of 3 jobs" in page.text(paths[0])
    assert '<progress max="3" value="0"' in page.text(paths[0])
    tube = f"/tube?name=t&state=all&change={paths[0].partition('change=')[2]}"
    meanwhile = page.text(tube)
    assert "The jobs are listed when the change is done" in meanwhile
    assert 'href="/jobs/' not in meanwhile
    go_on.set()

    eventually(lambda: broker.counts("t"), {"ready": 3})
    eventually_true(lambda: page.text(tube).count('href="/jobs/') == 3)
    said = [html.unescape(page.notice(path)) for path in paths]
    assert any(text.startswith("Kicked 3 jobs of tube 't'.") for text in said)


def _lost(change: Callable[..., Any]) -> Callable[..., Any]:
    """Return a change of jobs whose reply is lost."""

    def lost(self: OperatorConnection, ids: Iterable[int]) -> Iterator[bool]:
        yield next(change(self, ids))
        raise ConnectionLostError("the connection was cut")

    return lost


@pytest.mark.parametrize(
    ("count", "do", "said"),
    [
        (
            2,
            {"do": "kick-group", **GROUP},
            "2 more jobs were kicked (the log has the ids)",
        ),
        (2, {"do": "clear-tube", "tube": "t", "state": "buried"}, "1 more job was"),
        (1, {"do": "kick-job", "id": 1}, "this was done: the connection was cut"),
        (1, {"do": "kick-group", **GROUP}, "this was done: the connection was cut"),
    ],
)
def test_broker_lost_meanwhile(
    queue: JobQueue,
    broker: Beanstalkd,
    caplog: pytest.LogCaptureFixture,
    *,
    count: int,
    do: dict[str, object],
    said: str,
) -> None:
    """The log says of which jobs it is not known what became of them."""
    page = Page(queue, allow_actions=True)
    ids = put_buried(broker, count)
    for job_id in ids:
        put_note(broker, job_id)

    with pytest.MonkeyPatch.context() as patched:
        for name in ("kick_jobs", "delete_jobs"):
            lost = _lost(getattr(OperatorConnection, name))
            patched.setattr(OperatorConnection, name, lost)
        sent = page.browser.post("/act", data=do, headers=OURS)
        change = page.site.changes.get(sent.headers["location"].partition("change=")[2])
        eventually(lambda: change.is_over, expected=True)

    assert f"It is not known whether {said}" in change.problem
    last = caplog.records[-1]
    in_doubt = ids[:1] if "state" in do else ids
    assert last.levelname == "ERROR"
    assert last.message.startswith("Not known whether ")
    assert last.message.endswith(f", for 127.0.0.1: {', '.join(map(str, in_doubt))}")
    assert last.__dict__["job_ids"] == in_doubt


def test_end_of_the_page(broker: Beanstalkd, tmp_path: Path) -> None:
    """It waits for the end of a step, so that the log has all that was changed."""
    jobs = 20_000
    put(broker, jobs)
    with WebProcess(tmp_path, "--allow-actions", BEANSTALKD_URL=broker.url) as web:
        form = {"do": "clear-tube", "tube": "t", "state": "ready"}
        httpx.post(f"{web.url}/act", data=form, headers={"origin": web.url})
        eventually_true(lambda: broker.counts("t").get("ready", 0) < jobs)

    steps = re.findall(r"Deleted .*: ([\d, ]+)$", web.log, re.MULTILINE)
    logged = sum(len(step.split(", ")) for step in steps)
    assert logged == jobs - broker.counts("t").get("ready", 0)


def test_broker_away_before_a_step() -> None:
    """Then nothing is in doubt."""
    change = Change("Kicking", "Kicked", "ada", "of tube 't'", total=9, at_stake=[1])

    change.stop(BrokerUnreachableError("no broker"))

    assert change.problem == "It stopped after 0 jobs: no broker"


def test_what_was_deleted_is_gone(page: Page, broker: Beanstalkd) -> None:
    """A page says so: it is no error."""
    job_id = broker.put(b"x")

    sent = page.act("delete-job", id=job_id)
    said = page.notice(sent.headers["location"])
    with broker.client("last") as client:
        client.put(b"x")
        client.put(b"x")
    cleared = page.act("clear-tube", tube="last", state="ready").headers["location"]
    eventually(lambda: broker.counts("last"), {})
    page.site.operator.close()  # its connections use the tube, and so keep it
    eventually(lambda: page.get(cleared).status_code, 303)
    moved = page.get(cleared).headers["location"]

    assert f"Deleted job {job_id}." in said
    assert "Deleted 2 jobs of tube" in page.notice(moved)
    assert page.get("/tube?name=last&change=x").status_code == 404


def test_unknown_change(page: Page) -> None:
    """Nothing that an address says is shown as if it had happened."""
    text = page.text("/schedules?change=All+jobs+were+deleted")

    assert "All jobs" not in text


def test_broker_away_at_a_form(page: Page, broker: Beanstalkd) -> None:
    """The answer is no page: what loads that again would send the form again."""
    put_buried(broker, 1)
    broker.kill()

    forms: list[dict[str, object]] = [
        {"do": "pause", "tube": "t", "seconds": 60},
        {"do": "kick-job", "id": 1},
        {"do": "kick-group", **GROUP},
        {"do": "delete-schedule", "name": "x"},
    ]
    for form in forms:
        sent = page.browser.post("/act", data=form, headers=OURS)
        assert sent.status_code == 303
        said = page.get(sent.headers["location"])
        assert said.status_code == 503
        assert re.search("(?i)not known whether|nothing was changed", said.text)
    assert page.get("/act").status_code == 303


def test_silent_broker_at_a_form(page: Page, broker: Beanstalkd) -> None:
    """What had not begun when the page gave up is not done later either."""
    put_buried(broker, 2)
    page.site.calls._timeout = 0.2
    begin = threading.Event()
    tube = Operator.tube

    def silent(self: Operator, name: str) -> object:
        begin.wait(20)
        return tube(self, name)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Operator, "tube", silent)
        sent = page.act("kick-tube", tube="t", once="a" * 12)
    begin.set()
    page.site.calls._threads.shutdown()

    token = sent.headers["location"].partition("change=")[2]
    assert "nothing was changed" in (page.site.changes.get(token).problem or "")
    assert broker.counts("t") == {"buried": 2}


def test_form_sent_twice(page: Page, broker: Beanstalkd) -> None:
    """By a double tap: its change is made once, and both are told of it."""
    broker.put(b"x")
    shown = page.text("/tube?name=t")
    once = re.findall(r'name="once" value="([^"]+)"', shown)
    form = {"tube": "t", "func_name": "send", "delay": 0, "priority": 9, "ttr": 60}

    first = page.act("put", **form, once=once[0])
    again = page.act("put", **form, once=once[0])
    other = page.act("put", **form, once=once[1])

    assert first.headers["location"] == again.headers["location"]
    assert other.headers["location"] != first.headers["location"]
    assert broker.counts("t") == {"ready": 3}


def _answer(page: Page, question: str) -> Any:
    """Return the answer to a question, as a browser sends it."""
    fields = re.findall(
        r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text(question)
    )
    return lambda: page.browser.post("/act", data=dict(fields), headers=OURS)


def test_no_more_than_was_counted(page: Page, broker: Beanstalkd) -> None:
    """What failed, or was put, between the question and its answer is left alone."""
    group = "kick-group&tube=t&func=send&error=ValueError"
    put(broker, 2)
    clear = _answer(page, "/confirm?do=clear-tube&tube=t&state=ready")
    put(broker, 4)
    assert "Deleted 2 jobs" in page.notice(clear().headers["location"])
    assert broker.counts("t") == {"ready": 4}

    for job_id in put_buried(broker, 2):
        put_note(broker, job_id)
    kick_group = _answer(page, f"/confirm?do={group}")
    kick_tube = _answer(page, "/confirm?do=kick-tube&tube=t")
    for job_id in put_buried(broker, 3):
        put_note(broker, job_id)
    page.site.failures.expire()
    assert "Kicked 2 jobs" in page.notice(kick_group().headers["location"])
    assert broker.counts("t") == {"ready": 6, "buried": 3}
    put_buried(broker, 2)
    assert "Kicked 2 jobs" in page.notice(kick_tube().headers["location"])
    assert broker.counts("t") == {"ready": 8, "buried": 3}


def test_what_a_search_finds(page: Page, broker: Beanstalkd) -> None:
    """All that match, over all pages, and none that came after the question."""
    put(broker, 1, "ready")
    first, *others = put_buried(broker, 120)
    for job_id in others:
        put_note(broker, job_id)
    put_note(broker, first, error="KeyError")
    filters = "tube=t&state=all&error=ValueError&age=0s"
    shown = html.unescape(page.text(f"/tube?name=t&{filters[7:]}"))
    assert "do=kick-found" in shown
    assert "do=delete-found" in shown
    assert "do=kick-found" not in page.text("/tube?name=ready&state=all&func=send")
    kick = _answer(page, f"/confirm?do=kick-found&{filters}")
    put_note(broker, put_buried(broker, 1)[0])

    asked = html.unescape(page.text(f"/confirm?do=delete-found&{filters}"))
    assert "Delete 120 jobs of tube 't', with error ValueError, older than 0s?" in asked
    assert "Kicked 119 jobs" in page.notice(kick().headers["location"])
    assert broker.counts("t") == {"ready": 119, "buried": 2}
    delete = _answer(page, "/confirm?do=delete-found&tube=t&state=buried&func=send")
    assert "Deleted 2 jobs" in page.notice(delete().headers["location"])
    assert broker.counts("t") == {"ready": 119}
    none = page.text("/confirm?do=kick-found&tube=t&state=all&func=other")
    assert "There are no such jobs any more" in none
    assert page.get("/confirm?do=kick-found&tube=t&state=ready").status_code == 400


def test_another_broker(page: Page, broker: Beanstalkd) -> None:
    """Ids begin anew with it, so that its jobs are not those that were counted."""
    put(broker, 2)
    clear = _answer(page, "/confirm?do=clear-tube&tube=t&state=ready")
    delete = _answer(page, "/confirm?do=delete-job&id=1")
    broker.kill()
    with Beanstalkd(Path(str(broker.target))) as again:
        put(again, 2)
        for sent in (clear(), delete()):
            assert sent.status_code == 409
            assert "started anew" in sent.text
        assert again.counts("t") == {"ready": 2}
