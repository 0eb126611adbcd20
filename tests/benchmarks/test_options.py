"""The benchmark of a worker's options runs, also beside another checkout."""

import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.servers import require_beanstalkd


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="processes are kept on cores")
def test_options() -> None:
    require_beanstalkd()
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "tests/benchmarks/options.py"),
            *("--rounds", "1", "--jobs", "100", "--base", ROOT),
            *("--only", "warning,info"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    for mode in ("one core", "two cores"):
        assert f"\n{mode}:\n" in done.stdout
    assert done.stdout.count("\ninfo / warning: ") == 2
    assert done.stdout.count("\nwarning / base warning: ") == 2
