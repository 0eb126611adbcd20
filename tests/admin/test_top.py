"""`top`: what it shows, and how it leaves the terminal."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from jobqueue.admin.screen import formatting
from jobqueue.admin.top.rates import RateHistory, Sample
from jobqueue.broker.stats import ServerStats, TubeStats
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


def server(pid: int = 1, **counts: int) -> ServerStats:
    names = (
        "uptime binlog_files max_job_size ready delayed reserved buried connections "
        "workers waiting puts jobs deletes timeouts cpu_seconds"
    )
    zeros = dict.fromkeys(names.split(), 0)
    return ServerStats(
        version="1.12",
        hostname="h",
        has_binlog=False,
        is_draining=False,
        pid=pid,
        **zeros | counts,
    )


def tube(name: str, **counts: int) -> TubeStats:
    names = "ready delayed reserved buried urgent watching waiting puts deletes paused"
    zeros = dict.fromkeys(names.split(), 0)
    return TubeStats(tube=name, **zeros | counts)


def sample(at: float, pid: int = 1, **tubes: TubeStats) -> Sample:
    puts = sum(tube.puts for tube in tubes.values())
    return Sample(at, server(pid, jobs=puts), tubes)


def test_rates_are_of_the_time_between_two_samples() -> None:
    history = RateHistory()
    history.add(sample(10, t=tube("t", puts=100, deletes=5, ready=3)))
    assert (history.tube("t").puts, history.server.puts) == (None, None)
    history.add(sample(12, t=tube("t", puts=150, deletes=5, ready=9)))

    assert (history.tube("t").puts, history.tube("t").deletes) == (25, 0)
    assert history.server.puts == 25
    assert history.ready("t") == [3, 9]


def test_a_server_or_a_tube_that_starts_anew_has_no_rate() -> None:
    history = RateHistory()
    history.add(sample(1, t=tube("t", puts=100)))
    history.add(sample(2, pid=2, t=tube("t", puts=200)))
    assert history.tube("t").puts is None
    history.add(sample(3, pid=2, t=tube("t", puts=1)))
    assert history.tube("t").puts is None
    history.add(sample(4, pid=2, t=tube("t", puts=4)))
    assert history.tube("t").puts == 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "     "),
        ([0, 0], "   ··"),
        ([0, 1, 50, 100], " ·▁▅█"),
        ([9, 9, 9, 1, 2, 3, 4, 8], "▂▃▄▅█"),
    ],
)
def test_trends_are_drawn_as_bars(values: list[float], expected: str) -> None:
    assert formatting.sparkline(values, 5) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0s"), (59, "59s"), (3600, "1h"), (3661, "1h 1m"), (93784, "1d 2h")],
)
def test_times_are_in_two_units(seconds: int, expected: str) -> None:
    assert formatting.duration(seconds) == expected


@pytest.mark.parametrize("size", [(80, 24), (120, 30)])
def test_it_draws_updates_and_fits(broker: Beanstalkd, size: tuple[int, int]) -> None:
    put(broker, 3)

    with Terminal(broker, "top", "--interval", 0.2, size=size) as terminal:
        terminal.shows("every 0.2 s, q quits")
        terminal.shows(f"beanstalkd {broker.version()}")
        put(broker, 1234)
        terminal.shows("1,237")
        terminal.types("q")
        assert terminal.exit_code() == 0

    lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= size[0]
    assert any("TREND" in line for line in lines)


ENDS = ["q", signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("end", ENDS)
def test_it_leaves_the_terminal_as_it_found_it(
    broker: Beanstalkd, end: str | signal.Signals
) -> None:
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


def test_other_keys_than_q_do_nothing(broker: Beanstalkd) -> None:
    with Terminal(broker, "top", "--interval", 0.2) as terminal:
        terminal.shows("every 0.2 s")
        terminal.types("x")
        terminal.shows(f"beanstalkd {broker.version()}", times=2)
        assert terminal.process.poll() is None
        terminal.types("Q")
        assert terminal.exit_code() == 0


def test_it_goes_on_when_the_broker_is_back(broker: Beanstalkd) -> None:
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


def test_without_rich_it_prints_plain_lines(broker: Beanstalkd, tmp_path: Path) -> None:
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
    own = [line for line in terminal.text.splitlines() if "beanstalkd" not in line]
    assert max(map(len, own)) <= 80


def test_in_a_pipe_it_prints_json_lines_and_waits_for_a_broker(
    broker: Beanstalkd,
) -> None:
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


def test_json_of_stats_and_top_have_the_same_keys(broker: Beanstalkd) -> None:
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

    rates = {"puts_per_second", "deletes_per_second"}
    assert stats["tubes"][0].keys() | rates == top["tubes"][0].keys()
    assert stats["server"].keys() < top["server"].keys()
