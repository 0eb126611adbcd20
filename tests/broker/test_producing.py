"""Putting jobs, and nothing else."""

import subprocess
import sys


def test_a_producer_imports_no_other_role() -> None:
    script = """
import sys
import jobqueue.broker.producing
print(sorted({"consuming", "operating", "stats"} & {
    name.removeprefix("jobqueue.broker.") for name in sys.modules
}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stdout == "[]\n", done.stderr
