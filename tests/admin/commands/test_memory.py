"""Commands hold little of what they print, however much that is."""

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
from tests.helpers.servers import IS_INSTALLED, Beanstalkd
from tests.helpers.terminal import COMMAND, environment

MEBIBYTE = 2**20

# Run a command, and print its peak memory. Of a child of this process, the system would
# count the memory of this process as well, as it was before the child became a command.
PEAK_OF = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
sys.stderr.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


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
            done = subprocess.run(
                [sys.executable, "-c", PEAK_OF, *COMMAND, command, "t"],
                stdout=output,
                stderr=subprocess.PIPE,
                env=environment(broker),
                check=True,
            )

    assert len((tmp_path / "out").read_bytes()) > (
        20 * len(body) if command == "export" else 20
    )
    assert int(done.stderr.split()[-1]) * 1024 < 100 * MEBIBYTE


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
