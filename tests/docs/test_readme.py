"""The first code of the README and of docs/index, and how long the README is."""

from typing import Any

import pytest

from jobqueue import Worker
from tests.helpers.pages import blocks, page
from tests.helpers.servers import Beanstalkd


def test_first_code(
    broker: Beanstalkd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The call runs at once, and the job in a worker."""
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    code, *_ = blocks("README", "python")
    assert blocks("index", "python") == [code]
    names: dict[str, Any] = {"__name__": "readme"}

    exec(code.replace(": ...", ": print(to, subject)"), names)
    assert capsys.readouterr().out == "ada@example.org Hello\n"

    with names["queue"]:
        Worker(burst=True).run()
    assert capsys.readouterr().out == "ada@example.org Hello\n"


def test_length() -> None:
    """It fits on two screens of a wide monitor."""
    assert len(page("README").read_text().splitlines()) <= 150  # lines
