"""What holds a process or the broker up is noted, and what does not is not."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.servers import Beanstalkd, eventually_true, oversleep

from . import hold_ups
from .books import Span
from .hold_ups import watching
from .ledger import Ledger

HELD_UP = 0.5  # seconds

WATCHED = """
import sys, time
from pathlib import Path
from tests.faults.hold_ups import watch_worker
from tests.faults.ledger import Ledger

watch_worker(Ledger(Path(sys.argv[1])))
print("ready", flush=True)
time.sleep(60)
"""


def has_hold_up(ledger: Ledger, pid: int | None) -> bool:
    spans = ledger.read().hold_ups.get(pid, [])
    return any(ended - began > HELD_UP / 2 for began, ended in spans)


def test_frozen_process(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    command = [sys.executable, "-c", WATCHED, str(ledger.path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(HELD_UP)
        process.send_signal(signal.SIGCONT)
        try:
            eventually_true(lambda: has_hold_up(ledger, process.pid))
        finally:
            process.kill()
            ledger.close()


def test_frozen_broker(socket_folder: Path) -> None:
    path = socket_folder / "b.sock"
    ledger = Ledger(socket_folder / "ledger")
    with Beanstalkd(path) as broker, watching(ledger, path):
        eventually_true(lambda: broker.connections() == 1)
        oversleep(broker, HELD_UP)
        eventually_true(lambda: has_hold_up(ledger, None))
    ledger.close()


@pytest.mark.parametrize(
    ("ran", "noted"), [(0.0, [(9.0, 10.0)]), (0.6, [(9.6, 10.0)]), (1.0, [])]
)
def test_time_in_which_it_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: float, noted: list[Span]
) -> None:
    """It is left out: its own threads may have kept one from its work."""
    ledger = Ledger(tmp_path / "ledger")
    closed = Mock(wait=Mock(side_effect=[False, True]))
    clock = Mock(
        monotonic=Mock(side_effect=[9.0 - hold_ups.LOOK, 10.0]),
        process_time=Mock(side_effect=[5.0, 5.0 + ran]),
    )
    monkeypatch.setattr(hold_ups, "time", clock)

    hold_ups.watch_process(ledger, frozenset({1}), closed)

    found = ledger.read().hold_ups.get(1, [])
    assert [(round(began, 3), ended) for began, ended in found] == noted
    ledger.close()
