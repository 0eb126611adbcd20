"""Which tests find which fault: ``python -m tests.mutants``."""

import argparse
import sys

from .mutants import MUTANTS
from .runner import SURVIVES, killer_of


def main() -> None:
    """Put in each fault by itself, run the tests, and print a table of what fails."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Put realistic faults into a copy of the package, one at a time, "
        "and say which test fails. Exits with status 1 if a fault survives.",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        choices=[mutant.name for mutant in MUTANTS],
        help="put in only these",
    )
    options = parser.parse_args()
    survivors = []
    sys.stdout.write("| fault | breaks the promise | found by |\n| --- | --- | --- |\n")
    for mutant in MUTANTS:
        if options.only and mutant.name not in options.only:
            continue
        killer = killer_of(mutant)
        sys.stdout.write(f"| {mutant.name} | {mutant.promise} | {killer} |\n")
        sys.stdout.flush()
        if killer == SURVIVES:
            survivors.append(mutant.name)
    if survivors:
        sys.exit(f"not found: {', '.join(survivors)}")


if __name__ == "__main__":
    main()
