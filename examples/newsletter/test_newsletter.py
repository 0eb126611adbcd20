"""Tests of tasks: ``cd examples && python -m pytest newsletter``.

The fixtures ``run_jobs`` and ``eager`` come with jobqueue.
"""

from pathlib import Path

import pytest

from jobqueue import Bury
from jobqueue.pytest_plugin import RunJobs

from .app import send_issue, send_mail, subscribe


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty folder."""
    monkeypatch.setenv("NEWSLETTER_HOME", str(tmp_path))
    return tmp_path


def sent(home: Path) -> list[str]:
    """Return the names of the mails that were sent."""
    return sorted(path.stem for path in home.glob("outbox/*.eml"))


def test_plain_call(home: Path) -> None:
    send_mail("ada@example.org", "Hello", "How are you?")

    assert sent(home) == ["ada@example.org Hello"]


def test_welcome(home: Path, run_jobs: RunJobs) -> None:
    subscribe("ada@example.org")
    assert sent(home) == []  # the visitor does not wait for the mail

    run_jobs()
    assert sent(home) == ["ada@example.org Welcome"]


def test_issue_to_all_subscribers(home: Path, run_jobs: RunJobs) -> None:
    subscribe("ada@example.org")
    subscribe("alan@example.org")
    send_issue.put(subject="May", text="What a month.")

    ran = run_jobs()  # also the jobs that jobs have put

    assert [job.func_name for job in ran].count("send_mail") == 4
    assert {"ada@example.org May", "alan@example.org May"} < set(sent(home))


def test_bad_address_is_buried(run_jobs: RunJobs) -> None:
    subscribe("nobody")

    with pytest.raises(Bury, match="nobody is not an address"):
        run_jobs()


@pytest.mark.usefixtures("eager")
def test_eager_needs_no_broker(home: Path) -> None:
    subscribe("ada@example.org")

    assert sent(home) == ["ada@example.org Welcome"]
