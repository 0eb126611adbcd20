"""Commands hold little of what they print, however much that is."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobqueue.admin.screen.console import Console
from jobqueue.admin.screen.table import Cell, Column
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from tests.helpers.paths import ROOT
from tests.helpers.peak_memory import peak_of
from tests.helpers.servers import IS_INSTALLED, Beanstalkd
from tests.helpers.terminal import COMMAND, environment

MEBIBYTE = 2**20


@pytest.mark.skipif(not IS_INSTALLED, reason="needs beanstalkd")
@pytest.mark.skipif(sys.platform != "linux", reason="needs KiB in ru_maxrss")
@pytest.mark.parametrize("command", ["export", "list"])
def test_large_bodies(socket_folder: Path, tmp_path: Path, command: str) -> None:
    """Only one of them is held at a time."""
    body = b'{"x": "%b"}' % (b"x" * 4 * MEBIBYTE)
    with Beanstalkd(socket_folder / "s", "-z", str(8 * MEBIBYTE)) as broker:
        with OperatorConnection(Address.parse(broker.url)) as connection:
            for _ in range(20):
                connection.put("t", body, PutOptions())
        with (tmp_path / "out").open("wb") as output:
            words = [*COMMAND, command, "t"]
            peak, status = peak_of(words, stdout=output, env=environment(broker))

    assert status == 0
    assert len((tmp_path / "out").read_bytes()) > (
        20 * len(body) if command == "export" else 20
    )
    assert peak < 100 * MEBIBYTE


@pytest.mark.thorough
@pytest.mark.skipif(not IS_INSTALLED, reason="needs beanstalkd")
@pytest.mark.skipif(sys.platform != "linux", reason="needs KiB in ru_maxrss")
def test_many_jobs() -> None:
    """No command holds all the jobs, or all the notes, that it looks at.

    These would be 11 MiB of jobs, and 50 MiB of notes.
    """
    benchmark = ROOT / "tests" / "benchmarks" / "listings.py"
    printed = subprocess.check_output(
        [sys.executable, benchmark, "--jobs", "40000", "--tubes", "4"], text=True
    )

    peaks = re.findall(r"^(\S.*?) +[0-9.]+ s +([0-9.]+) MiB$", printed, re.MULTILINE)
    (name, least), *others = [(name, float(peak)) for name, peak in peaks]
    assert name == "--version"
    assert len(others) > 10
    assert [name for name, peak in others if peak > least + 9] == []


def test_long_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Its rows are printed as they come, after those that determine the widths."""
    printed = []

    def rows() -> Iterator[list[Cell]]:
        for n in range(3000):
            if n == 2000:
                printed.append(capsys.readouterr().out.count("\n"))
            yield [Cell(str(n)), Cell("x" * (n % 7))]

    Console(as_json=False).long_table(
        [Column("N", is_number=True), Column("X")], rows()
    )

    assert printed[0] > 1900
    assert printed[0] + capsys.readouterr().out.count("\n") == 3001
