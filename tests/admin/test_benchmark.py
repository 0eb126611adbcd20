"""The benchmark of the operator's commands."""

import subprocess
import sys

from tests.helpers.paths import ROOT
from tests.helpers.servers import require_beanstalkd


def test_benchmark_runs() -> None:
    require_beanstalkd()
    script = ROOT / "tests/benchmarks/admin.py"

    done = subprocess.run(
        [sys.executable, script, "--jobs", "600"],
        capture_output=True,
        text=True,
        check=True,
    )

    names = ("list", "export", "import", "clear, buried", "kick --all")
    assert all(f"\n{name} " in done.stdout for name in names)
