"""The README's tour, run as it is printed, in an empty folder."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobqueue import JobQueue, Worker
from jobqueue.job.body import decode
from jobqueue.job.signing import Signing
from tests.helpers.noted_failure import put_note
from tests.helpers.paths import PAGES, README
from tests.helpers.readme import blocks, write_printed
from tests.helpers.servers import Beanstalkd, eventually
from tests.helpers.terminal import environment, put, put_buried

# What differs from run to run: the time of day, how long a job took, a traceback's
# frames, and where this test's broker is.
VARYING = [
    (r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "NOW"),
    (r"\d+\.\d{3} s", "N s"),
    (r"(?s)(Traceback \(most recent call last\):\n)(?:  .*?\n)+(?=\w)", r"\1  ...\n"),
    (r"(beanstalkd|unix)://\S+", "URL"),
    (r"beanstalkd \S+, up [^,]+,", "beanstalkd VERSION, up TIME,"),
    (r" +\d+s(?=  )", " AGE"),
]


def settled(text: str) -> str:
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def commands(block: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output that it shows."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def run(command: str, expected: str, folder: Path) -> str:
    """Run a command, press Ctrl-C where its output shows it, and return the output."""
    before, interrupt, _ = expected.partition("^C\n")
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}" if interrupt else command],
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        if interrupt:
            eventually(lambda: settled(output.read_text()), settled(before))
            process.send_signal(signal.SIGINT)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
    return output.read_text()


def test_tour(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command prints what the README shows."""
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    ran = 0
    for language, block in blocks("A tour in 60 seconds") + blocks("Operating it"):
        if language == "python":
            write_printed(block, tmp_path)
        for command, expected in commands(block) if language == "console" else []:
            output = run(command, expected, tmp_path)
            assert settled(expected.replace("^C\n", "")) == settled(output)
            ran += 1
    assert ran == 7


def test_status(tmp_path: Path, broker: Beanstalkd) -> None:
    """The functions for a web application say how a job is, and cancel it."""
    for heading in ("A tour in 60 seconds", "Operating it"):
        for language, block in blocks(heading):
            if language == "python":
                write_printed(block, tmp_path)
    put(broker)
    put_note(broker, *put_buried(broker))
    script = (
        "from app.status import *; print(status(1), cancel(1), status(1), status(2))"
    )

    printed = subprocess.check_output(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(broker), text=True
    )

    assert printed == "ready True done buried: no such address\n"


def test_printed_tests(tmp_path: Path) -> None:
    for heading in ("A tour in 60 seconds", "Testing your tasks"):
        for language, block in blocks(heading):
            if language == "python":
                write_printed(block, tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "2 passed" in done.stdout, done.stdout


def test_job_in_json(
    broker: Beanstalkd,
) -> None:
    """The job that other languages may put runs."""
    ((_, body),) = [b for b in blocks("Using it") if b[0] == "json"]
    ran = []

    @JobQueue(broker.url).task("task_tube_one")
    def task_one(**kwargs: str) -> None:
        ran.append(kwargs)

    with broker.client("task_tube_one") as client:
        client.put(body.encode())
    Worker(burst=True).run()

    assert ran == [{"arg1": "a", "arg2": "b", "arg3": "c"}]


def test_signing(tmp_path: Path) -> None:
    (make_secret, *_), (sign,) = (
        [block for language, block in blocks("Security") if language == kind]
        for kind in ("sh", "python")
    )
    (tmp_path / "sign.py").write_text(sign)
    script = f'{make_secret}{sys.executable} sign.py; echo "$JOBQUEUE_SECRET"'

    printed = subprocess.check_output(["sh", "-euc", script], cwd=tmp_path)
    body, secret = printed.splitlines()

    Signing(secret).check(body)
    assert decode(body).kwargs == {"a": 1, "b": 2}


def anchors(page: Path) -> set[str]:
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.resolve()), link


def test_settings_of_tcp() -> None:
    """docker-compose.yml has the settings that the README recommends."""
    setting = r"^ *(net\.\S+?)(?:: | = )(\d+)$"
    printed = re.findall(setting, README.read_text(), re.MULTILINE)
    compose = README.with_name("docker-compose.yml").read_text()

    assert len(printed) == 4
    assert re.findall(setting, compose, re.MULTILINE) == printed
