"""Programs of others that check files of the docs, and that the tests go on without."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OPTIONAL_PROGRAMS = (
    "check-jsonschema",
    "kubernetes-validate",
    "promtool",
    "systemd-analyze",
)


def check(program: str, *arguments: str | Path) -> str:
    """Have a program check a file, and return what it says; skip without the program.

    It may be in the environment of these tests, or on the PATH.
    """
    if program not in OPTIONAL_PROGRAMS:
        raise LookupError(f"{program} is not in OPTIONAL_PROGRAMS")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = shutil.which(program, path=path)
    if found is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [found, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
