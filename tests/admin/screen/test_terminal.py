"""Tables, progress bars and encodings on a terminal."""

import re
from pathlib import Path

import pytest

from tests.helpers.noted_failure import put_note
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import (
    Terminal,
    bury,
    json_lines,
    operate,
    put,
    put_buried,
    without_rich,
)


def columns(line: str) -> list[str]:
    return line.split()


@pytest.mark.parametrize("has_rich", [True, False])
def test_tables(broker: Beanstalkd, tmp_path: Path, *, has_rich: bool) -> None:
    put(broker, 3)
    bury(broker, put(broker, 2, text="x" * 99))
    modules = "" if has_rich else without_rich(tmp_path)

    with Terminal(broker, "stats", size=(80, 24), modules=modules) as terminal:
        assert terminal.exit_code() == 0
        terminal.shows(f"beanstalkd {broker.version()}")
    with Terminal(broker, "list", "t", size=(80, 24), modules=modules) as listing:
        assert listing.exit_code() == 0
        listing.shows('n="xxx')

    assert has_rich == ("\x1b[" in terminal.raw)
    (line,) = (line for line in terminal.text.splitlines() if line.startswith("t "))
    assert columns(line) == ["t", "3", "0", "0", "2", "0", "0", "5", "-", "0"]
    table = [line for line in terminal.text.splitlines() if "beanstalkd" not in line]
    lines = [line for line in listing.text.splitlines() if "send" in line]
    assert all(len(line) <= 80 for line in table + lines)
    assert [columns(line)[1] for line in lines] == ["ready"] * 3 + ["buried"] * 2


LEGEND = "PRI: priority, RES: reserves, TMO: timeouts, REL: releases, BUR: buries"


@pytest.mark.parametrize("has_rich", [True, False])
def test_legend(broker: Beanstalkd, tmp_path: Path, *, has_rich: bool) -> None:
    """It says what the counters are that there is room for; a pipe needs none."""
    put(broker)
    modules = "" if has_rich else without_rich(tmp_path)
    shown = []
    for width in (45, 80, 120):
        size = (width, 24)
        with Terminal(broker, "list", "t", size=size, modules=modules) as terminal:
            assert terminal.exit_code() == 0
            terminal.shows("n=0")
        shown.append(terminal.text.splitlines()[-1])

    assert shown[0].startswith("PRI: priority, RES: reserves")
    assert shown[2].startswith(LEGEND)
    assert max(map(len, shown[:2])) <= 80
    assert "priority" not in operate(broker, "list", "t").stdout


@pytest.mark.parametrize("has_rich", [True, False])
def test_footers_wrap_between_words(
    broker: Beanstalkd, tmp_path: Path, *, has_rich: bool
) -> None:
    """No number is broken, neither below a table nor in a question or a note."""
    put_buried(broker, 1234)
    put_note(broker, 1)
    modules = "" if has_rich else without_rich(tmp_path)
    commands = {
        "stats": "1,234",
        "failures": "1,233 buried",
        "list t": "1,134 more",
        "kick t --all": "1,234 buried",
    }
    for width in (45, 80):
        for words, number in commands.items():
            with Terminal(
                broker, *words.split(), size=(width, 24), modules=modules
            ) as terminal:
                if "kick" in words:
                    terminal.shows("[y/N] ")
                    terminal.types("n\n")
                terminal.exit_code()
                terminal.shows(number)
            lines = re.sub("Looking for jobs.*", "", terminal.text).splitlines()
            assert max(map(len, lines)) <= width, lines


@pytest.mark.parametrize("has_rich", [True, False])
def test_progress_is_removed_at_the_end(
    broker: Beanstalkd, tmp_path: Path, *, has_rich: bool
) -> None:
    put_buried(broker, 2000)
    modules = "" if has_rich else without_rich(tmp_path)
    command = ("clear", "t", "--state", "buried", "--yes")

    with Terminal(broker, *command, modules=modules) as terminal:
        assert terminal.exit_code() == 0
        terminal.shows("Deleted 2,000 jobs of tube 't'")

    assert "Deleting" in terminal.text
    assert broker.counts("t") == {}


def test_any_encoding(broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that the terminal's encoding lacks are escaped."""
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    job = rb'{"func_name": "f", "tube": "t", "kwargs": {"a": "\ud800", "b": "\u4f60"}}'
    with broker.client("t") as client:
        job_id = client.put(job)

    assert "f a=" in operate(broker, "list", "t").stdout
    assert operate(broker, "show", job_id).returncode == 0
    (values,) = json_lines(operate(broker, "list", "t", "--json").stdout)
    assert values["kwargs"] == {"a": "\ud800", "b": "\u4f60"}
