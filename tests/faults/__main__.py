"""The long campaign: ``python -m tests.faults``."""

import argparse
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from . import report
from .campaign import Campaign, Size


def main() -> None:
    """Run a campaign, print what happened, and write it into the README if asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--faults", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--write", action="store_true", help="into the README")
    options = parser.parse_args()
    sys.stdout.write(f"Seed {options.seed}\n")
    sys.stdout.flush()
    size = Size(options.jobs, options.faults, within=1800)
    with TemporaryDirectory(prefix="jq-", ignore_cleanup_errors=True) as folder:
        verdict = Campaign(Path(folder), Path(folder), options.seed, size).run()
    text = report.table(verdict, {})
    sys.stdout.write(text + "\n")
    if not verdict.is_good:
        sys.exit(
            f"lost {verdict.lost}, never put {verdict.strangers}, unexplained "
            f"{verdict.unexplained}"
        )
    if options.write:
        report.write(text)


if __name__ == "__main__":
    main()
