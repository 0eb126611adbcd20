"""The page operating/incidents: its commands show what it says, in each incident."""

import ast
import functools
import re
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import jobqueue
from tests.helpers.noted_failure import put_note
from tests.helpers.pages import blocks, page
from tests.helpers.printed_commands import commands, settled, sh
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import bury, operate

FILLS = "The tube fills"
BURIED = "Jobs are buried"
NOTHING = "Nothing runs"
TWICE = "Runs twice"
GONE = "The broker is gone"
PAGE = "operating/incidents"


def check_console(number: int, section: str, broker: Beanstalkd) -> None:
    """Run the commands of a console block of a section: they print what it shows."""
    block = textwrap.dedent(blocks(PAGE, "console", section)[number])
    for command, expected in commands(block):
        program, *arguments = command.split()
        assert program == "jobqueue"
        done = operate(broker, *arguments)  # in this process, which is quicker
        assert _alike(expected) == _alike(done.stdout + done.stderr)


def _alike(text: str) -> str:
    """Return a text without times, and without what aligns tables."""
    text = re.sub(r"\d+m \d+s", "TIME", settled(text))
    return re.sub(r" +", " ", text)


@contextmanager
def slots(broker: Beanstalkd, number: int) -> Iterator[None]:
    """Have a number of connections reserve a job each."""
    with ExitStack() as stack:
        for _ in range(number):
            client = stack.enter_context(broker.client("emails"))
            client.reserve()
        yield


def put_emails(broker: Beanstalkd, count: int, to: str = "ada") -> list[int]:
    body = f'{{"func_name":"send","tube":"emails","kwargs":{{"to":"{to}"}}}}'.encode()
    with broker.client("emails") as client:
        return [client.put(body) for _ in range(count)]


def test_sections() -> None:
    """Each incident has a test here, and says what is seen and what to do."""
    text = page(PAGE).read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]

    assert [section.partition("\n")[0] for section in sections] == [
        FILLS,
        BURIED,
        NOTHING,
        TWICE,
        GONE,
    ]
    for section in sections:
        assert section.count("**You see**") == section.count("**What to do**") == 1


def test_fills(broker: Beanstalkd) -> None:
    put_emails(broker, 5002)
    with slots(broker, 2):
        check_console(0, FILLS, broker)


def test_a_program_that_puts_too_many(tmp_path: Path, broker: Beanstalkd) -> None:
    put_emails(broker, 7)
    (script,) = blocks(PAGE, "sh", FILLS)

    with broker.client("emails"):  # or else the tube is gone when it is empty
        assert sh(script, broker, tmp_path).returncode == 0

    assert len((tmp_path / "send.jsonl").read_text().splitlines()) == 7
    assert broker.counts("emails") == {}


def test_buried(tmp_path: Path, broker: Beanstalkd) -> None:
    """What is shown, a kick of one, and of those like it."""
    ids = put_buried_emails(broker, 1)
    check_console(0, BURIED, broker)
    check_console(1, BURIED, broker)
    assert broker.counts("emails") == {"ready": 1}

    ids = put_buried_emails(broker, 3)
    kick, _ = blocks(PAGE, "sh", BURIED)
    done = sh(kick, broker, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Would kick 3 jobs" in done.stdout
    assert {broker.stats_job(job_id)["state"] for job_id in ids} == {"ready"}


def put_buried_emails(broker: Beanstalkd, count: int) -> list[int]:
    ids = put_emails(broker, count)
    bury(broker, ids)
    for job_id in ids:
        put_note(
            broker,
            job_id,
            tube="emails",
            error="TimeoutError",
            text="the mail server did not answer",
        )
    return ids


def test_buried_for_nobody(tmp_path: Path, broker: Beanstalkd) -> None:
    bury(broker, put_emails(broker, 3))
    _, script = blocks(PAGE, "sh", BURIED)

    assert sh(script, broker, tmp_path).returncode == 0

    assert len((tmp_path / "buried.jsonl").read_text().splitlines()) == 3
    assert broker.counts("emails") == {}


def test_nothing_runs(broker: Beanstalkd) -> None:
    put_emails(broker, 4)
    operate(broker, "pause", "emails", 3600)

    check_console(0, NOTHING, broker)


def test_twice(broker: Beanstalkd) -> None:
    """A job that a worker had before is reserved again."""
    put_emails(broker, 1)
    with slots(broker, 1):
        pass
    with slots(broker, 1):
        check_console(0, TWICE, broker)


def test_gone(broker: Beanstalkd) -> None:
    broker.kill()

    check_console(0, GONE, broker)


SAID = (
    "Waiting for the broker",
    "Worker started",
    "Stopping without waiting for job",
    "did not answer in time",
    "its time to run could not be extended",
    "may run twice",
    "the broker was lost before it could",
    "was killed by",
)


@pytest.mark.parametrize("text", SAID)
def test_texts(text: str) -> None:
    """What the page quotes is what jobqueue says."""
    assert f"`{text}" in page(PAGE).read_text()
    assert any(text in said for said in texts())


@functools.cache
def texts() -> list[str]:
    """Return all strings in the code of jobqueue."""
    return [
        node.value
        for path in Path(jobqueue.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
