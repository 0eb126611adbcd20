"""Running the tests on a copy of the repository that has a fault."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.helpers.paths import ROOT

from .mutant import Mutant

COPIED = ["jobqueue", "tests", "examples", "pyproject.toml", "README.md"]
LONGEST_TEST = 60  # seconds: a fault may let a test wait for ever
LONGEST_RUN = 600  # seconds

HAS_NO_END = "(the tests do not end)"
SURVIVES = "**nothing**"


def killer_of(mutant: Mutant) -> str:
    """Return the test that fails first with a fault, or SURVIVES.

    Raises RuntimeError if the tests can't run.
    """
    with TemporaryDirectory(prefix="jq-") as name:
        folder = Path(name)
        _copy_to(folder)
        mutant.put_into(folder)
        try:
            done = _run_tests(mutant, folder)
        except subprocess.TimeoutExpired:
            return HAS_NO_END
    failed = re.search(
        r"^(?:FAILED|ERROR) tests/(.+?)(?: - .*)?$", done.stdout, re.MULTILINE
    )
    if failed:
        return failed[1]
    if done.returncode:
        raise RuntimeError(f"{mutant.name}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return SURVIVES


def _copy_to(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "plots")
    for name in COPIED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=ignored)
        else:
            shutil.copy(path, folder)


def _run_tests(mutant: Mutant, folder: Path) -> "subprocess.CompletedProcess[str]":
    options = ["-x", "-q", "-n2", "-p", "no:randomly", "-p", "no:cacheprovider"]
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *options),
            *(f"--timeout={LONGEST_TEST}", *mutant.tests),
        ],
        cwd=folder,
        # The copy comes before what is installed, also in what the tests start. A
        # compiled file could be older than the fault by less than its time stamp tells.
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
        check=False,
    )
