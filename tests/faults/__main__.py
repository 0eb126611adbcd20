"""The long campaign: ``python -m tests.faults``."""

import argparse
import random
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from tests.helpers.beanstalkds import OTHERS, programs

from . import report
from .side_by_side import side_by_side
from .size import Size

if TYPE_CHECKING:
    from .verdict import Verdict


def main() -> None:
    """Run a campaign on each beanstalkd, print what happened, and say what is wrong."""
    options = _parse()
    if not programs():
        sys.exit("beanstalkd is not installed")
    sys.stdout.write(f"Seed {options.seed}\n")
    size = Size(options.jobs, options.faults, within=1800)
    if options.all_async:
        size = size.with_async_tasks()
    folders = {program: Path(mkdtemp(prefix="jq-")) for program in programs()}
    verdicts: dict[str, Verdict] = {}
    wrong = []
    for program, future in side_by_side(folders, options.seed, size).items():
        folder = folders[program]
        if error := future.exception():
            trace = error.__cause__ or ""  # of the process in which it was raised
            wrong.append(f"{program.version}: {error!r}: {folder}{trace}")
            continue
        verdict = verdicts[program.version] = future.result()
        found = verdict.objections()
        wrong += [f"{program.version}: {what}: {folder}" for what in found]
        if not found:  # else it is kept
            shutil.rmtree(folder)
    text = report.table(verdicts)
    sys.stdout.write(text + "\n")
    if wrong:
        sys.exit("\n".join(wrong))
    if options.write:
        report.write(text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="Put and run jobs under faults, and check that each job ends. Runs "
        "once on each beanstalkd, all at a time: the one on the PATH, and those in "
        f"${OTHERS}.",
    )
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs to put")
    parser.add_argument("--faults", type=int, default=1_000, help="faults to inject")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.randrange(2**32),
        help="of all random choices",
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--async",
        dest="all_async",
        action="store_true",
        help="have async tasks only, so that no slot has a thread",
    )
    either.add_argument(
        "--write", action="store_true", help="write the table into docs/why/proofs.md"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
