"""Running the tests on a copy of the repository that has a fault."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.helpers.paths import ROOT

from .mutant import Mutant

COPIED = [
    *("jobqueue", "tests", "examples", "docs", ".ci", "pyproject.toml"),
    *("README.md", "CHANGELOG.md", "LICENSE", "docker-compose.yml"),
]
LONGEST_TEST = 60  # seconds: a fault may let a test wait for ever
LONGEST_RUN = 600  # seconds
_TESTS_FAILED = {1, 2}  # pytest's exit statuses: some, and (with xdist) the first


class Failure(NamedTuple):
    """The test that failed first; ``is_time_out`` says that it did not end in time."""

    test: str
    is_time_out: bool

    def __str__(self) -> str:
        return self.test + (" (a time-out)" if self.is_time_out else "")


class Finding(NamedTuple):
    """What became of a mutant: ``failure`` is None if it survives."""

    mutant: Mutant
    failure: Failure | None
    seconds: float


class Runner:
    """Runs tests on copies of the repository as it is now.

    The copies have the compiled files of the first run.
    """

    def __init__(self, folder: Path) -> None:
        self._original = folder / "original"
        _copy(ROOT, self._original, "__pycache__", "plots")

    def find(self, mutant: Mutant) -> Finding:
        """Find a test that fails with a fault, of those that the mutant names.

        Raises RuntimeError if the tests can't run.
        """
        began = time.monotonic()
        with TemporaryDirectory(prefix="jq-") as name:
            folder = Path(name)
            _copy(self._original, folder)
            mutant.put_into(folder)
            failure = _first_failure(folder, mutant.tests)
        return Finding(mutant, failure, time.monotonic() - began)

    def failure_without_faults(self, mutants: Iterable[Mutant]) -> Failure | None:
        """Run the tests that the mutants name, without any fault."""
        tests = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
        return _first_failure(self._original, ["-n2", *tests])


def _copy(source: Path, target: Path, *ignored: str) -> None:
    target.mkdir(exist_ok=True)
    for name in COPIED:
        path = source / name
        if path.is_dir():
            shutil.copytree(
                path, target / name, ignore=shutil.ignore_patterns(*ignored)
            )
        else:
            shutil.copy2(path, target)


def _first_failure(folder: Path, tests: Sequence[str]) -> Failure | None:
    options = ["-x", "-q", f"--timeout={LONGEST_TEST}", "--hypothesis-seed=0"]
    options += ["-p", "no:randomly", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=folder,
            # The copy comes before what is installed, also in what the tests start. A
            # compiled file could be older than the fault by less than its time stamp
            # tells.
            env=os.environ
            | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Failure("all of the tests", is_time_out=True)
    if not done.returncode:
        return None
    if done.returncode not in _TESTS_FAILED:
        raise RuntimeError(f"the tests can't run: {done.stdout[-3000:]}{done.stderr}")
    return first_failure_in(done.stdout)


def first_failure_in(output: str) -> Failure:
    """Return the first failure that the output of pytest reports.

    Raises RuntimeError if no test has failed, as no module of tests could be imported.
    """
    failed = re.search(
        r"^(?:FAILED|ERROR) tests/(.+?::.+?)(?: - .*)?$", output, re.MULTILINE
    )
    if failed is None:
        raise RuntimeError(f"no test has failed: {output[-3000:]}")
    is_time_out = re.search(r"^E +Failed: Timeout ", output, re.MULTILINE)
    return Failure(failed[1], is_time_out is not None)
