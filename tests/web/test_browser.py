"""The page in a real browser, as an operator uses it: Debian's chromium."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobqueue import JobQueue
from tests.helpers.noted_failure import put_note
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.terminal import body, put, put_buried
from tests.helpers.ticks import put_tick
from tests.helpers.web_process import WebProcess
from tests.helpers.worker_process import WorkerProcess, write_module

playwright = pytest.importorskip("playwright.sync_api")
axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PHONE, LAPTOP = (360, 740), (1280, 800)
PATIENCE = 20_000  # milliseconds
EVIL = "<script>alert(1)</script>\u202e\x1b[2J" + "x" * 300

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.xdist_group("browser"),
]

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


class Operator:
    """A person with a browser. What goes wrong in the browser is kept."""

    def __init__(self, context: Any, url: str) -> None:
        context.set_default_timeout(PATIENCE)
        self.context = context
        self.url = url
        self.problems: list[str] = []
        self.page = self.tab()

    def tab(self) -> Any:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._said)
        page.on("request", self._asked)
        return page

    def _said(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(f"{self.url}/"):
            self.problems.append(f"asked {request.url}")

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def click(self, name: str, role: str = "link") -> None:
        self.page.get_by_role(role, name=name, exact=True).click()

    def sees(self, selector: str, text: str) -> None:
        found = self.page.locator(selector, has_text=re.compile(text))
        playwright.expect(found.first).to_be_visible(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )


@pytest.fixture
def web(broker: Beanstalkd, tmp_path: Path) -> Iterator[WebProcess]:
    with WebProcess(tmp_path, "--allow-actions", BEANSTALKD_URL=broker.url) as process:
        yield process


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
    put_buried(broker, 2)
    operator.open("/")
    broker.kill()
    operator.sees("#trouble", "The broker is away")
    assert operator.page.locator("[id=tube-t]").count() == 1
    operator.page.goto(operator.url)
    operator.sees("h1", "The broker is away")
    with Beanstalkd(Path(str(broker.target))) as again:
        again.put(b"x", "later")
        operator.sees("#tubes", "later")
        operator.problems = [p for p in operator.problems if "503" not in p]


def test_broker_away_at_a_change(operator: Operator, broker: Beanstalkd) -> None:
    """When it is back, the page shows what is there, and asks for nothing again."""
    put(broker, 1)
    operator.open("/tube?name=t")
    operator.click("Delete all ready")
    broker.kill()
    operator.click("Delete 1 job", "button")
    operator.sees("h1", "The broker is away")
    operator.sees("#change", "nothing was changed|not known whether")
    with Beanstalkd(Path(str(broker.target))) as again:
        put(again, 3)
        operator.sees("#counts", "ready3")
        operator.page.reload()
        operator.sees("#counts", "ready3")
        assert again.counts("t") == {"ready": 3}
        operator.problems = [p for p in operator.problems if "503" not in p]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_for_everybody(
    browser: Any,
    web: WebProcess,
    broker: Beanstalkd,
    scheme: str,
) -> None:
    """By axe: labels, contrast, roles. And nothing is wider than the screen."""
    ids = [*put_buried(broker, 2), broker.put(EVIL.encode()), broker.put(body(EVIL))]
    broker.put(b"x", "t" * 200)
    put_note(broker, ids[0], text=EVIL, error="E" * 200, func_name=EVIL)
    put_note(broker, ids[1])
    put_tick(broker, func_name="late", due=1_000_000_000)
    with broker.client("paused") as client:
        client.put(b"x")
        client.pause_tube("paused", 3600)
    group = "/failures/group?tube=t&func=send&error=ValueError"
    pages = [
        "/",
        "/tube?name=t&state=all&func=send",
        "/tube?name=paused",
        "/failures",
        group,
        *(f"/jobs/{job_id}" for job_id in ids),
        "/schedules",
        group.replace("/failures/group", "/confirm") + "&do=delete-group",
    ]
    found: list[object] = []
    for width, height in (PHONE, LAPTOP):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        operator = Operator(context, web.url)
        for path in pages:
            operator.open(path)
            seen = axe_playwright.Axe().run(operator.page).response
            assert len(seen["passes"]) > 10
            found += [
                (
                    path,
                    width,
                    result["id"],
                    [node["html"] for node in result["nodes"]][:2],
                )
                for result in seen["violations"]
                if result["impact"] in {"serious", "critical"}
            ]
            room = "document.documentElement.scrollWidth - innerWidth"
            found += (
                [(path, width, "too wide")] if operator.page.evaluate(room) > 0 else []
            )
        assert operator.problems == []
        context.close()

    assert found == []


def test_a_thumb_and_long_counts(
    browser: Any, web: WebProcess, broker: Beanstalkd
) -> None:
    """On a phone: what is tapped is thumb-sized, and a million is seen whole."""
    ids = put_buried(broker, 2)
    for job_id in ids:
        put_note(broker, job_id)
    put_tick(broker)
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]})
    operator = Operator(context, web.url)
    group = "/failures/group?tube=t&func=send&error=ValueError"
    found: list[object] = []
    for path in ("/", "/tube?name=t", "/failures", group, f"/jobs/{ids[0]}"):
        operator.open(path)
        small, cut = operator.page.evaluate("""() => {
            for (const count of document.querySelectorAll("[data-count]"))
                count.textContent = "1,234,567";
            const tapped = "main :is(button, .button, select, summary, .tabs a, th a)";
            const size = (element) => element.getBoundingClientRect();
            const cards = ".totals > div, .cards td";
            const page = document.documentElement;
            return [
                [...document.querySelectorAll(tapped)]
                    .filter((e) => size(e).height && size(e).height < 44)
                    .map((e) => [e.textContent, size(e).height]),
                [page, ...document.querySelectorAll(cards)]
                    .filter((e) => e.scrollWidth > e.clientWidth + 1)
                    .map((e) => [e.textContent.slice(0, 40), e.scrollWidth]),
            ];
        }""")
        found += [(path, size) for size in [*small, *cut]]
    context.close()

    assert found == []


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
    operator.page.reload()
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


def test_refreshing(browser: Any, web: WebProcess, broker: Beanstalkd) -> None:
    """One request at a time, none while the page is hidden, and focus stays."""
    context = browser.new_context()
    context.add_init_script(
        "Object.defineProperty(document, 'hidden', {get: () => window.isHidden})"
    )
    operator = Operator(context, web.url)
    page = operator.page
    put(broker, 1)
    operator.open("/")
    running = most = count = 0

    def slowly(route: Any) -> None:
        nonlocal running, most, count
        running, count = running + 1, count + 1
        most = max(most, running)
        page.wait_for_timeout(500)
        route.continue_()
        running -= 1

    page.route(f"{web.url}/", slowly)
    page.get_by_role("link", name="t", exact=True).focus()
    for _ in range(3):  # as if one looked away and back, over and over
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    put(broker, 4)
    operator.sees("[id=tube-t] td.ready", "5")
    assert most == 1
    assert page.evaluate("document.activeElement.textContent") == "t"

    page.evaluate("window.isHidden = true")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(1000)  # what was asked for before
    before = count
    page.wait_for_timeout(3500)
    assert count == before
    page.evaluate("window.isHidden = false")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    put(broker, 1)
    operator.sees("[id=tube-t] td.ready", "6")
    context.close()
