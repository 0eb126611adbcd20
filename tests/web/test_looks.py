"""How the page looks, in a real browser: for each size of a screen, and for axe."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from jobqueue import JobQueue
from jobqueue.operating import operator as operating
from tests.helpers.browser import LAPTOP, NEEDS_BROWSER, PHONE, WIDE, Operator
from tests.helpers.noted_failure import put_note
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import body, put_buried
from tests.helpers.ticks import put_tick
from tests.helpers.web_process import WebProcess
from tests.helpers.web_thread import WebThread

axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright")

pytestmark = NEEDS_BROWSER

EVIL = "<script>alert(1)</script>\u202e\x1b[2J" + "x" * 300
GROUP = "/failures/group?tube=t&func=send&error=ValueError"
CONFIRM = "/confirm?do={}&tube=t&func=send&error=ValueError"
FROM_RIGHT_TO_LEFT = "\u05e9\u05dc\u05d5\u05dd \u202e\x1b[2J"


@pytest.fixture
def held(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebThread]:
    """The page, on which no kick ends before the test does."""
    end = threading.Event()
    kick = operating.Operator.kick

    def kick_at_the_end(self: operating.Operator, *ids: int) -> list[int]:
        end.wait()
        return kick(self, *ids)

    monkeypatch.setattr(operating.Operator, "kick", kick_at_the_end)
    with WebThread(queue, allow_actions=True) as web:
        yield web
        end.set()


class Looks:
    """What is wrong with the looks of pages."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.wrong: list[object] = []

    def at(self, path: str) -> None:
        self.operator.open(path)
        self.here(path)

    def here(self, name: str) -> None:
        """Look at the page that is open: labels, contrast, roles, and its width."""
        page = self.operator.page
        seen = axe_playwright.Axe().run(page).response
        assert len(seen["passes"]) > 10
        self.wrong += [
            (name, result["id"], [node["html"] for node in result["nodes"]][:2])
            for result in seen["violations"]
            if result["impact"] in {"serious", "critical"}
        ]
        if page.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
            self.wrong.append((name, "too wide"))


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(PHONE, "light"), (PHONE, "dark"), (LAPTOP, "light"), (WIDE, "light")],
    ids=["phone", "phone at night", "laptop", "wide"],
)
def test_every_page_for_everybody(
    browser: Any,
    held: WebThread,
    broker: Beanstalkd,
    *,
    size: tuple[int, int],
    scheme: str,
) -> None:
    """Also when nothing is there, while a change goes on, and when all is wrong."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
    )
    operator = Operator(context, held.url)
    operator.expected = {"400", "403", "404", "503"}
    looks = Looks(operator)
    for path in ("/", "/failures", "/schedules", "/tube?name=none", GROUP):
        looks.at(path)

    texts = (EVIL.encode(), body(EVIL), body(FROM_RIGHT_TO_LEFT))
    ids = [*put_buried(broker, 3), *map(broker.put, texts)]
    broker.put(b"x", "t" * 200)
    put_note(broker, ids[0], text=EVIL, error="E" * 200, func_name=EVIL)
    put_note(broker, ids[1])
    put_note(broker, ids[2], text=FROM_RIGHT_TO_LEFT)
    put_note(broker, 99, tube="gone", kind="deleted", body=body(1))
    put_tick(broker, func_name="late", due=1_000_000_000)
    with broker.client("paused") as client:
        client.put(b"x")
        client.pause_tube("paused", 3600)
    for path in (
        "/",
        "/?q=none",
        "/tube?name=t&state=all&func=send",
        "/tube?name=t&age=soon",
        "/tube?name=paused",
        "/failures",
        GROUP,
        *(f"/jobs/{job_id}" for job_id in (*ids[1:], 99)),
        "/schedules",
        CONFIRM.format("delete-group"),
        "/confirm?do=clear-tube&tube=t&state=delayed",
        "/confirm?do=none",
    ):
        looks.at(path)

    operator.open(CONFIRM.format("kick-group"))
    operator.click("Kick 2 jobs", "button")
    operator.sees("#change", "Kicking 0 of 2 jobs")
    looks.here("progress")
    broker.kill()
    operator.sees("#trouble", "The broker is away")
    looks.here("stale")
    looks.at("/")
    operator.sees("h1", "The broker is away")
    context.close()

    assert looks.wrong == []
    assert operator.problems == []


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
    found: list[object] = []
    for path in ("/", "/tube?name=t", "/failures", GROUP, f"/jobs/{ids[0]}"):
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
