"""Which test finds which fault: ``python -m tests.mutants``."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.helpers.paths import ROOT

from .mutants import MUTANTS
from .runner import Finding, Runner


def main() -> None:
    """Put in each fault by itself, run its tests, and print a table of what fails."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Put realistic faults into a copy of the package, one at a time, "
        "and say which of its tests fails. Exits with status 1 if none does.",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        choices=[mutant.name for mutant in MUTANTS],
        help="put in only these",
    )
    parser.add_argument(
        "--parallel",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="how many faults are tried at a time (default: one for each core)",
    )
    options = parser.parse_args()
    mutants = [m for m in MUTANTS if not options.only or m.name in options.only]
    began = time.monotonic()
    with TemporaryDirectory(prefix="jq-") as folder:
        runner = Runner(Path(folder))
        commit = _commit()
        failure = runner.failure_without_faults(mutants)
        if failure:
            sys.exit(f"{failure} fails without any fault, so it finds none")
        _say("| fault | breaks the promise | found by | seconds |")
        _say("| --- | --- | --- | ---: |")
        findings = []
        with ThreadPoolExecutor(options.parallel) as pool:
            for found in pool.map(runner.find, mutants):
                findings.append(found)
                _say(_row(found))
    _say(f"\n{_summary(findings)}, in {time.monotonic() - began:.0f} s, at {commit}")
    survivors = [found.mutant.name for found in findings if not found.failure]
    if survivors:
        sys.exit(f"not found: {', '.join(survivors)}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _row(found: Finding) -> str:
    name, promise = found.mutant.name, found.mutant.promise
    failure = found.failure or "**nothing**"
    return f"| {name} | {promise} | {failure} | {found.seconds:.0f} |"


def _summary(findings: Sequence[Finding]) -> str:
    failures = [found.failure for found in findings if found.failure]
    late = sum(failure.is_time_out for failure in failures)
    return (
        f"{len(findings)} faults: {len(failures) - late} found by a test that fails, "
        f"{late} by a time-out, {len(findings) - len(failures)} not found"
    )


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"
    return done.stdout.strip()


if __name__ == "__main__":
    main()
