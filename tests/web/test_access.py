"""Who may see the page, and who may change anything by it."""

import base64
import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from jobqueue import JobQueue, OptionError
from jobqueue.web import app
from jobqueue.web.access import passwords
from jobqueue.web.access.hosts import is_host_allowed
from jobqueue.web.settings import WebSettings
from jobqueue.web.under_path import UnderPath
from tests.helpers.page import OURS, Page
from tests.helpers.servers import Beanstalkd

PASSWORD = "correct horse"
STATIC = "/static/page.js"  # asks no broker


def basic(password: str, user: str = "ada") -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


@pytest.mark.parametrize(
    ("name", "is_allowed", "is_allowed_if_open"),
    [
        ("localhost", True, True),
        ("LOCALHOST.:8080", True, True),
        ("127.0.0.1:8080", True, True),
        ("[::1]:8080", True, True),
        ("ops.example.org", True, True),
        ("192.168.1.5:8080", False, True),
        ("[fe80::1]", False, True),
        ("evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("ops.example.org.evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("localhost:8080@evil.example", False, False),
        ("localhost/evil", False, False),
        ("", False, False),
        ("\n", False, False),
    ],
)
def test_host(name: str, is_allowed: bool, is_allowed_if_open: bool) -> None:
    closed = WebSettings.checked(hosts=["ops.example.org"])
    opened = WebSettings.checked(hosts=["Ops.Example.org"], behind_proxy=True)

    assert is_host_allowed(name, closed) is is_allowed
    assert is_host_allowed(name, opened) is is_allowed_if_open
    assert is_host_allowed(name, WebSettings.checked(hosts=["*"]))


def test_rebound_host(queue: JobQueue) -> None:
    page = Page(queue, host="evil.example")

    refused = page.get("/")

    assert (refused.status_code, refused.headers["content-type"][:10]) == (
        400,
        "text/plain",
    )
    assert "does not answer to the name 'evil.example'" in refused.text


def test_other_machines(queue: JobQueue) -> None:
    """They are served only if something asks for a login."""
    away = {"client": "10.0.0.9"}

    assert Page(queue, client="::1").get(STATIC).status_code == 200
    assert "$JOBQUEUE_WEB_PASSWORD" in Page(queue, **away).get(STATIC).text
    assert Page(queue, **away).get(STATIC).status_code == 403
    assert Page(queue, **away, behind_proxy=True).get(STATIC).status_code == 200
    assert Page(queue, **away, password=PASSWORD).get(STATIC).status_code == 401


def test_password(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    page = Page(queue, password=PASSWORD)

    assert page.get(STATIC).headers["www-authenticate"].startswith("Basic ")
    assert caplog.messages == []  # nothing was guessed
    for header in ("Basic", "Basic !", "Basic YQ==", "Bearer x", "basic /w=="):
        assert page.get(STATIC, authorization=header).status_code == 401
        page = Page(queue, password=PASSWORD)
    assert page.get(STATIC, **basic(PASSWORD)).status_code == 200
    assert page.get(STATIC, **basic(PASSWORD + "x")).status_code == 401
    assert caplog.messages[-1] == "Wrong password from 127.0.0.1"
    with pytest.raises(OptionError, match="at least 12 characters"):
        app(queue, password="short")
    assert PASSWORD not in repr(WebSettings.checked(password=PASSWORD))


def test_guesses_are_slowed(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who guesses has to wait, longer each time; others don't, and nor do they then."""
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    page = Page(queue, password=PASSWORD, behind_proxy=True)

    def status(password: str, client: str = "10.0.0.1") -> int:
        header = {"x-forwarded-for": f"1.2.3.4, {client}"}
        asked = page.browser.get(STATIC, headers=basic(password) | header)
        return int(asked.status_code)

    assert [status("wrong") for _ in range(5)] == [401] * 5
    assert status(PASSWORD) == 429  # not even compared
    assert status(PASSWORD, client="10.0.0.2") == 200
    now += 1.5
    assert [status("wrong"), status("wrong")] == [401, 429]
    now += 1.5
    assert status(PASSWORD) == 429
    now += 1
    assert [status(PASSWORD), status("wrong"), status(PASSWORD)] == [200, 401, 200]


@pytest.mark.parametrize(
    "forwarded", ["6.6.6.6:{}", "[2001:db8::{}]:{}", "2001:db8::{}", "unknown-{}"]
)
def test_ports_make_no_other_guesser(queue: JobQueue, forwarded: str) -> None:
    page = Page(queue, password=PASSWORD, behind_proxy=True)

    def status(number: int) -> int:
        header = {"x-forwarded-for": forwarded.replace("{}", str(number))}
        asked = page.browser.get(STATIC, headers=basic("wrong") | header)
        return int(asked.status_code)

    assert [status(4000 + number) for number in range(6)] == [401] * 5 + [429]


def test_proxy_that_was_not_told_of(
    queue: JobQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever guesses has everybody wait, and the log says what is missing."""
    page = Page(queue, password=PASSWORD)

    def status(password: str, client: str) -> int:
        asked = page.get(STATIC, **basic(password), x_forwarded_for=client)
        return int(asked.status_code)

    assert [status("wrong", f"10.0.0.{n}") for n in range(5)] == [401] * 5
    assert status(PASSWORD, "10.0.0.9") == 429
    assert "--behind-proxy" in caplog.messages[-1]


def test_guessers_are_few() -> None:
    """Those with a network of their own count once, and those long gone not at all."""
    guesses = passwords.Guesses()

    for number in range(passwords._MAX_GUESSERS + 10):
        guesses.add(str(number))

    assert len(guesses._wrong) == passwords._MAX_GUESSERS
    assert guesses.wait_of("0") == 0


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"origin": "http://localhost"}, True),
        ({"origin": "http://localhost", "sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://localhost:81"}, False),
        ({"origin": "http://localhost.evil.example"}, False),
        ({"origin": "http://localhost", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://localhost", "sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://[evil"}, False),
        ({"referer": "http://localhost/"}, False),
    ],
)
def test_origin_of_a_change(
    queue: JobQueue, broker: Beanstalkd, headers: dict[str, str], is_ours: bool
) -> None:
    page = Page(queue, allow_actions=True)

    with broker.client("t"):
        form = {"do": "pause", "tube": "t", "seconds": "60"}
        sent = page.browser.post("/act", data=form, headers=headers)

    assert sent.status_code == (303 if is_ours else 403)


def test_without_permission(queue: JobQueue, broker: Beanstalkd) -> None:
    page = Page(queue)
    job_id = broker.put(b"x")

    refused = page.act("delete-job", id=job_id)

    assert refused.status_code == 403
    assert "--allow-actions" in refused.text
    assert page.get(f"/confirm?do=delete-job&id={job_id}").status_code == 403
    assert "<form" not in page.text(f"/jobs/{job_id}")
    assert broker.counts("t") == {"ready": 1}


def test_foreign_questions(queue: JobQueue, broker: Beanstalkd) -> None:
    """A link elsewhere leads to no button that changes something."""
    page = Page(queue, allow_actions=True)
    job_id = broker.put(b"x")
    delete = f"/confirm?do=delete-job&id={job_id}"

    assert page.get(delete, sec_fetch_site="cross-site").status_code == 403
    assert page.get(delete, sec_fetch_site="same-origin").status_code == 200
    for link in (
        "pause&tube=t&seconds=9",
        "put&tube=t&func_name=f&delay=0&priority=1&ttr=1",
    ):
        assert page.get(f"/confirm?do={link}").status_code == 404


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options"])
def test_other_methods(queue: JobQueue, method: str) -> None:
    page = Page(queue, allow_actions=True)

    asked = page.browser.request(method, "/act", headers=OURS)

    assert asked.status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/static/../application.py",
        "/static/..%2fapplication.py",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static//etc/passwd",
        "/static/",
        "/static/page.js%00",
        "/jobs/../../etc/passwd",
        "/jobs/1%2f..%2f",
    ],
)
def test_path_traversal(queue: JobQueue, path: str) -> None:
    assert Page(queue).get(path).status_code == 404


def test_headers(queue: JobQueue) -> None:
    """No script but ours runs, even if a page had a hole; refusals have them, too."""
    for page in (Page(queue), Page(queue, host="evil.example")):
        for path in ("/", STATIC, "/nothing"):
            headers = page.get(path).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'")
            assert "unsafe" not in policy
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in headers
    assert Page(queue).get("/").headers["cache-control"] == "no-store"


def test_who_it_is(
    queue: JobQueue, broker: Beanstalkd, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says who asked: by the password's user, or as the proxy says."""
    caplog.set_level(logging.INFO, "jobqueue.web")
    by_proxy = {"x-forwarded-user": "bob", "x-forwarded-for": "10.0.0.7"}

    def pause(headers: dict[str, str], **options: Any) -> str:
        page = Page(queue, allow_actions=True, **options)
        form = {"do": "pause", "tube": "t", "seconds": "60"}
        page.browser.post("/act", data=form, headers=OURS | headers)
        return caplog.messages[-1]

    with broker.client("t"):
        said = "Paused tube 't' for 60 s, for "
        assert pause({}) == f"{said}127.0.0.1"
        assert pause(by_proxy) == f"{said}127.0.0.1"
        assert pause(by_proxy, behind_proxy=True) == f"{said}bob (10.0.0.7)"
        known = basic(PASSWORD, user="eve\u2028\x1b[2J")
        assert pause(known, password=PASSWORD) == (
            f"{said}eve\\u2028\\x1b[2J (127.0.0.1)"
        )


def test_a_page_that_fails(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has the headers of all others, and the log says why."""
    page = Page(queue)
    monkeypatch.setattr(page.site.renderer, "page", lambda *_, **__: 1 / 0)

    failed = page.get("/")

    assert failed.status_code == 500
    assert failed.headers["content-security-policy"].startswith("default-src 'none'")
    assert failed.headers["cache-control"] == "no-store"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "host", ["http://ops.example.org", "ops.example.org:80", "a b", "", "-"]
)
def test_wrong_hosts(queue: JobQueue, host: str) -> None:
    with pytest.raises(OptionError, match="not the name of a host"):
        app(queue, hosts=[host])
    with pytest.raises(OptionError, match="a list of names"):
        app(queue, hosts=host)


def test_mounted(queue: JobQueue, broker: Beanstalkd) -> None:
    """All its links stay under the path."""
    broker.put(b"x", "a/b")
    around = Starlette(routes=[Mount("/ops/jobs", app(queue))])
    browser = TestClient(around, base_url="http://localhost", client=("::1", 1))

    html = browser.get("/ops/jobs/").text

    assert 'href="/ops/jobs/tube?name=a%2Fb"' in html
    assert 'href="/ops/jobs/"' in html
    assert 'aria-current="page">Tubes' in html
    assert browser.get("/ops/jobs/tube?name=a%2Fb").status_code == 200
    assert browser.get("/ops/jobs" + STATIC).status_code == 200
    links = [part.split('"')[0] for part in html.split('="/')[1:]]
    assert all(link.startswith("ops/jobs/") for link in links)


def test_redirects(queue: JobQueue) -> None:
    """They name no scheme and no host: a proxy has its own."""
    page = Page(queue)
    around = Starlette(routes=[Mount("/ops", app(queue))])
    browser = TestClient(around, base_url="http://localhost", client=("::1", 1))
    sent = page.get("/failures/?tube=a", x_forwarded_proto="https")

    assert sent.headers["location"] == "/failures?tube=a"
    under = TestClient(
        UnderPath(app(queue), "/ops"),
        base_url="http://localhost",
        client=("::1", 1),
        follow_redirects=False,
    )
    assert under.get("/ops").headers["location"] == "/ops/"
    assert browser.get("/ops/failures/").url.path == "/ops/failures"


def test_path_like_one_of_ours(queue: JobQueue, broker: Beanstalkd) -> None:
    """The documented path is also the beginning of the address of a job's page."""
    job_id = broker.put(b"x")
    under = UnderPath(app(queue), "/jobs")
    browser = TestClient(under, base_url="http://localhost", client=("::1", 1))
    for path in ("/jobs/{}", "/jobs/jobs/{}", "/jobs/{}/body", "/jobs/jobs/{}/body"):
        assert browser.get(path.format(job_id)).status_code == 200
    for path in ("/", "/jobs", "/jobs/", "/failures", "/jobs/failures"):
        assert "/jobs/failures" in browser.get(path).text


def test_path_left_out(queue: JobQueue) -> None:
    """By a proxy, of which an application around the page knows, as FastAPI does."""
    around = Starlette(routes=[Mount("/jobs", app(queue))])

    async def behind_a_proxy(scope: Any, receive: Any, send: Any) -> None:
        await around({**scope, "root_path": "/site"}, receive, send)

    browser = TestClient(behind_a_proxy, base_url="http://localhost", client=("::1", 1))
    for path in ("/jobs/", "/site/jobs/", "/jobs/failures", "/site/jobs/schedules"):
        found = browser.get(path)
        assert found.status_code == 200
        assert 'href="/site/jobs/failures"' in found.text
