"""The long campaign: ``python -m tests.faults``."""

import argparse
import random
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

from . import report
from .campaign import Campaign, Size


def main() -> None:
    """Run a campaign, print what happened, and write it into the README if asked."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="Put and run jobs under faults, and check that no job is lost.",
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
    options = parser.parse_args()
    sys.stdout.write(f"Seed {options.seed}\n")
    sys.stdout.flush()
    size = Size(options.jobs, options.faults, within=1800)
    folder = Path(mkdtemp(prefix="jq-"))  # kept if something goes wrong
    verdict = Campaign(folder, folder, options.seed, size).run()
    text = report.table(verdict)
    sys.stdout.write(text + "\n")
    if not verdict.is_good:
        lists = verdict.lost, verdict.strangers, verdict.unexplained
        sys.exit("lost {}, never put {}, unexplained {}".format(*lists) + f": {folder}")
    shutil.rmtree(folder)
    if options.write:
        report.write(text)


if __name__ == "__main__":
    main()
