"""The long campaign: ``python -m tests.faults``."""

import argparse
import random
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

from tests.helpers.beanstalkds import OTHERS, Program, programs

from . import report
from .campaign import Campaign, Size
from .verdict import Verdict


def main() -> None:
    """Run a campaign on each beanstalkd, print what happened, and say what is wrong."""
    options = _parse()
    if not programs():
        sys.exit("beanstalkd is not installed")
    sys.stdout.write(f"Seed {options.seed}\n")
    size = Size(options.jobs, options.faults, within=1800)
    verdicts: dict[str, Verdict] = {}
    wrong = []
    for program in programs():
        folder = Path(mkdtemp(prefix="jq-"))  # kept if something goes wrong
        verdict = _run(program, folder, options.seed, size)
        verdicts[program.version] = verdict
        found = verdict.objections()
        wrong += [f"{program.version}: {what}: {folder}" for what in found]
        if not found:
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
        f"once on each beanstalkd: the one on the PATH, and those in ${OTHERS}.",
    )
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs to put")
    parser.add_argument("--faults", type=int, default=1_000, help="faults to inject")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.randrange(2**32),
        help="of all random choices",
    )
    parser.add_argument(
        "--write", action="store_true", help="write the table into the README"
    )
    return parser.parse_args()


def _run(program: Program, folder: Path, seed: int, size: Size) -> Verdict:
    sys.stdout.write(f"beanstalkd {program.version}, files in {folder}\n")
    sys.stdout.flush()
    return Campaign(folder, folder, seed, size, program.path).run()


if __name__ == "__main__":
    main()
