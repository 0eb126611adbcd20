"""The page in a real browser, as an operator uses it: Debian's chromium."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobqueue import JobQueue
from tests.helpers.browser import LAPTOP, NEEDS_BROWSER, PATIENCE, PHONE, Operator
from tests.helpers.noted_failure import put_note
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.terminal import put, put_buried
from tests.helpers.ticks import put_tick
from tests.helpers.web_process import WebProcess
from tests.helpers.worker_process import WorkerProcess, write_module

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = NEEDS_BROWSER

TASKS = """
from jobqueue import JobQueue

queue = JobQueue()
is_mended = __import__("pathlib").Path("mended").exists


@queue.task("emails")
def send(to):
    if "@" not in to and not is_mended():
        raise ValueError(f"no such address: {to}")


@queue.task("reports", every=3600)
def nightly():
    pass
"""


@pytest.fixture(params=[PHONE, LAPTOP], ids=["phone", "laptop"])
def operator(
    browser: Any, web: WebProcess, request: pytest.FixtureRequest
) -> Iterator[Operator]:
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height})
    operator = Operator(context, web.url)
    yield operator
    context.close()
    assert operator.problems == []


def test_why_jobs_failed_and_kick_them(
    operator: Operator, broker: Beanstalkd, web: WebProcess, tmp_path: Path
) -> None:
    """From the first page to the cause, and to a kick; nothing is loaded anew."""
    write_module(tmp_path, "tasks", TASKS)
    with JobQueue(broker.url) as queue:
        for number in range(3):
            queue.operator.put("emails", "send", {"to": f"nobody{number}"})
        queue.operator.put("emails", "send", {"to": "ada@example.org"})
    worker = WorkerProcess(
        tmp_path, "--import", "tasks", "--tube", "emails", BEANSTALKD_URL=broker.url
    )
    with worker:
        eventually(lambda: broker.counts("emails"), {"buried": 3})
        tubes = operator.tab()
        tubes.goto(web.url)
        tubes.evaluate("window.isLoadedOnce = true")

        operator.open("/")
        operator.click("Failures")
        operator.click("ValueError")
        operator.sees("#group", "no such address: nobody2")
        operator.page.locator("#jobs a").first.click()
        operator.sees("pre", "raise ValueError")
        operator.page.go_back()
        (tmp_path / "mended").touch()
        operator.click("Kick 3 jobs")
        operator.click("Kick 3 jobs", "button")
        operator.sees("#change", "Kicked 3 jobs of tube 'emails'")

        eventually(lambda: broker.counts("emails"), {})
        buried = tubes.locator("[id='tube-emails'] td.buried").first
        playwright.expect(buried).to_have_text("0", timeout=PATIENCE)
        assert tubes.evaluate("window.isLoadedOnce")
    assert re.search(
        r"Kicked 3 jobs of tube 'emails', for 127.0.0.1: \d+, \d+, \d+", web.log
    )


def test_pause_and_resume(operator: Operator, broker: Beanstalkd) -> None:
    put(broker, 1, "t")
    operator.open("/")
    operator.click("t")
    operator.page.select_option("select[name=seconds]", "1800")
    operator.click("Pause", "button")
    operator.sees("#change", "is paused for 30m")
    operator.sees("#counts", "hands out no jobs for (30m|29m)")
    operator.click("Resume", "button")
    operator.sees("#change", "hands out jobs again")
    operator.sees("#counts button", "Pause")


def test_run_a_schedule(operator: Operator, broker: Beanstalkd) -> None:
    put_tick(broker)
    operator.open("/schedules")
    operator.sees("#schedules", "every 86400 s")
    operator.click("Run now")
    operator.click("Run now", "button")
    operator.sees("#change", r"Job \d+ of reports/nightly was put")
    assert broker.counts("reports") == {"ready": 1}


def test_broker_away(operator: Operator, broker: Beanstalkd) -> None:
    """The page says so, keeps what it knew, and comes back by itself."""
    operator.expected = {"503"}
    put_buried(broker, 2)
    operator.open("/tube?name=t")
    broker.kill()
    operator.sees("#trouble", "The broker is away.*What you see is of ")
    assert operator.page.locator("[data-changes]").count() > 3
    assert operator.page.locator("[data-changes]:not([inert])").count() == 0
    operator.open("/")
    operator.sees("h1", "The broker is away")
    with Beanstalkd(Path(str(broker.target))) as again:
        again.put(b"x", "later")
        operator.sees("#tubes", "later")


def test_broker_away_at_a_change(operator: Operator, broker: Beanstalkd) -> None:
    """When it is back, the page shows what is there, and asks for nothing again."""
    operator.expected = {"503"}
    put(broker, 1)
    operator.open("/tube?name=t")
    operator.click("Delete all ready")
    operator.sees("button", "Delete 1 job")
    broker.kill()
    operator.click("Delete 1 job", "button")
    operator.sees("h1", "The broker is away")
    operator.sees("#change", "nothing was changed|not known whether")
    with Beanstalkd(Path(str(broker.target))) as again:
        put(again, 3)
        operator.sees("#counts", "ready3")
        operator.reload()
        operator.sees("#counts", "ready3")
        assert again.counts("t") == {"ready": 3}


def test_double_tap(browser: Any, web: WebProcess, broker: Beanstalkd) -> None:
    """Its second tap, where a question has just appeared, does not answer that."""
    put_buried(broker, 2)
    operator = Operator(browser.new_context(), web.url)
    page = operator.page
    operator.open("/confirm?do=kick-tube&tube=t")
    change = "const sheet = document.styleSheets[0]; sheet."
    longer = "'.question button { animation-duration: 3600s !important }'"
    page.evaluate(f"() => {{ {change}insertRule({longer}, sheet.cssRules.length) }}")
    style = "getComputedStyle(document.querySelector('.question button'))"
    page.wait_for_function(f"{style}.pointerEvents === 'none'")
    box = page.get_by_role("button").bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.evaluate(f"() => {{ {change}deleteRule(sheet.cssRules.length - 1) }}")
    assert broker.counts("t") == {"buried": 2}

    operator.click("Kick 2 jobs", "button")
    operator.sees("#change", "Kicked 2 jobs")
    operator.context.close()


def test_without_scripts(browser: Any, web: WebProcess, broker: Beanstalkd) -> None:
    ids = put_buried(broker, 2)
    for job_id in ids:
        put_note(broker, job_id)
    context = browser.new_context(java_script_enabled=False)
    operator = Operator(context, web.url)

    operator.open("/")
    operator.click("Failures")
    operator.click("ValueError")
    operator.click("Kick 2 jobs")
    operator.click("Kick 2 jobs", "button")
    operator.page.wait_for_url("**change=**")  # or the browser refuses to reload
    eventually(lambda: broker.counts("t"), {"ready": 2})
    operator.reload()
    operator.sees("#change", "Kicked 2 jobs")
    context.close()


def test_focus_moves_with_its_row(
    browser: Any, web: WebProcess, broker: Beanstalkd
) -> None:
    """When another group of failures comes first."""
    first, *others = put_buried(broker, 3)
    put_note(broker, first, error="KeyError")
    operator = Operator(browser.new_context(), web.url)
    operator.open("/failures")
    operator.page.get_by_role("link", name="KeyError").focus()
    for job_id in others:
        put_note(broker, job_id)
    operator.sees("tbody tr:first-child", "ValueError")
    assert operator.page.evaluate("document.activeElement.textContent") == "KeyError"
    operator.context.close()
    assert operator.problems == []


# Counts what a page asks for, has each reply take its time, and lets a test hide it.
COUNTING = """
Object.defineProperty(document, "hidden", {get: () => window.isHidden});
window.asked = window.running = window.most = 0;
const ask = window.fetch;
window.fetch = async (...given) => {
    asked++;
    most = Math.max(most, ++running);
    try {
        await new Promise((resolve) => setTimeout(resolve, 500));
        return await ask(...given);
    } finally {
        running--;
    }
};
"""
LOOK = "document.dispatchEvent(new Event('visibilitychange'))"


def test_refreshing(browser: Any, web: WebProcess, broker: Beanstalkd) -> None:
    """One request at a time, none while the page is hidden, and focus stays."""
    context = browser.new_context()
    context.add_init_script(COUNTING)
    operator = Operator(context, web.url)
    page = operator.page
    put(broker, 1)
    operator.open("/")
    page.get_by_role("link", name="t", exact=True).focus()
    for _ in range(3):  # as if one looked away and back, over and over
        page.evaluate(LOOK)
    put(broker, 4)
    operator.sees("[id=tube-t] td.ready", "5")
    assert page.evaluate("most") == 1
    assert page.evaluate("document.activeElement.textContent") == "t"

    page.evaluate(f"window.isHidden = true; {LOOK}")
    page.wait_for_function("running === 0")  # what was asked for before
    before = page.evaluate("asked")
    page.wait_for_timeout(3500)
    assert page.evaluate("asked") == before
    put(broker, 1)
    page.evaluate(f"window.isHidden = false; {LOOK}")
    operator.sees("[id=tube-t] td.ready", "6")
    assert operator.problems == []
    context.close()
