"""top: the screen, the lines, and how it leaves the terminal."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.terminal import (
    COMMAND,
    Terminal,
    environment,
    operate,
    put,
    without_rich,
)

ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"


HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


@pytest.mark.parametrize("size", [(45, 14), (80, 24), (120, 30)])
def test_screen_updates_and_fits(broker: Beanstalkd, size: tuple[int, int]) -> None:
    put(broker, 3)

    with Terminal(broker, "top", "--interval", 0.2, size=size) as terminal:
        terminal.shows("every 0.2 s, q quits" if size[0] > 45 else "   q quits")
        terminal.shows(f"beanstalkd {broker.version()}")
        put(broker, 1234)
        terminal.shows("1,237")
        terminal.types("q")
        assert terminal.exit_code() == 0

    lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= size[0]
    assert any("TREND" in line for line in lines)
    assert "…" not in terminal.text  # what has no room is left out, not cut


ENDS = ["q", signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("end", ENDS)
def test_terminal_is_restored(broker: Beanstalkd, end: str | signal.Signals) -> None:
    with Terminal(broker, "top", "--interval", 0.2) as terminal:
        terminal.shows("every 0.2 s")
        assert terminal.modes_before != terminal.modes()
        if isinstance(end, str):
            terminal.types(end)
        else:
            terminal.signal(end)
        is_usual = end in ("q", signal.SIGINT)
        assert terminal.exit_code() == (0 if is_usual else 128 + int(end))
        eventually_true(lambda: BACK in terminal.raw)
        assert terminal.modes_before == terminal.modes()

    assert terminal.raw.count(ALTERNATE) == terminal.raw.count(BACK) == 1
    assert terminal.raw.rindex(SHOWN) > terminal.raw.rindex(HIDDEN)
    assert "Traceback" not in terminal.text


def test_other_keys_do_nothing(broker: Beanstalkd) -> None:
    with Terminal(broker, "top", "--interval", 0.2) as terminal:
        terminal.shows("every 0.2 s")
        terminal.types("x")
        terminal.shows(f"beanstalkd {broker.version()}", times=2)
        assert terminal.process.poll() is None
        terminal.types("Q")
        assert terminal.exit_code() == 0


def test_lost_broker_is_waited_for(broker: Beanstalkd) -> None:
    with Terminal(broker, "top", "--interval", 0.2) as terminal:
        terminal.shows(f"beanstalkd {broker.version()}")
        broker.kill()
        terminal.shows("Waiting for the broker: ")
        Path(str(broker.target)).unlink(missing_ok=True)
        broker.start()
        put(broker, 4321)
        terminal.shows("4,321")
        terminal.types("q")
        assert terminal.exit_code() == 0


def test_without_rich(broker: Beanstalkd, tmp_path: Path) -> None:
    put(broker, 77)
    path = without_rich(tmp_path)

    with Terminal(
        broker, "top", "--interval", 0.2, size=(80, 24), modules=path
    ) as terminal:
        terminal.shows("TUBE", times=3)
        terminal.signal(signal.SIGINT)
        assert terminal.exit_code() == 0
        assert terminal.modes_before == terminal.modes()

    assert "\x1b" not in terminal.raw
    (line, *_) = (line for line in terminal.text.splitlines() if line[:2] == "t ")
    assert line.split()[:5] == ["t", "77", "0", "0", "0"]
    table = [line for line in terminal.text.splitlines() if "beanstalkd" not in line]
    assert max(map(len, table)) <= 80


def test_json_in_a_pipe(
    broker: Beanstalkd,
) -> None:
    """A lost broker is waited for there, too."""
    put(broker, 5)
    process = subprocess.Popen(
        [*COMMAND, "top", "--json", "--interval", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(broker),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    first = json.loads(process.stdout.readline())
    second = json.loads(process.stdout.readline())
    broker.kill()
    assert "Waiting for the broker" in process.stderr.readline()
    Path(str(broker.target)).unlink(missing_ok=True)
    broker.start()
    assert process.stderr.readline() == "The broker is back\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    assert process.returncode == 128 + signal.SIGTERM
    assert first["tubes"][1]["ready"] == 5
    assert first["tubes"][1]["puts_per_second"] is None
    assert second["tubes"][1]["puts_per_second"] == 0
    assert second["server"]["jobs"] == 5


def test_json_has_the_keys_of_stats(broker: Beanstalkd) -> None:
    stats = json.loads(operate(broker, "stats", "--json").stdout)
    with subprocess.Popen(
        [*COMMAND, "top", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(broker),
    ) as process:
        assert process.stdout is not None
        top = json.loads(process.stdout.readline())
        process.terminate()

    rates = {"puts_per_second", "deletes_per_second", "failures_per_second"}
    assert stats["tubes"][0].keys() | rates == top["tubes"][0].keys()
    assert stats["server"].keys() < top["server"].keys()
