"""The long campaign of periodic tasks: ``python -m tests.faults.schedules``."""

import argparse
import os
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from tests.helpers.beanstalkds import programs

from .campaign import Campaign
from .timeline import Timeline
from .verdict import judge


def main() -> None:
    """Run a campaign, and print its ledger; the exit status says if it is right."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.schedules",
        description="Keep five schedules with three workers under faults, and look at "
        "each due time.",
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument(
        "--one-machine",
        action="store_true",
        help="set the broker's clock as well as that of the workers",
    )
    parser.add_argument(
        "--judge",
        metavar="FOLDER",
        type=Path,
        help="judge what an earlier campaign has left in its folder once more",
    )
    options = parser.parse_args()
    if options.judge:
        timeline = Timeline.load(options.judge / "timeline")
        verdict = judge(options.judge / "runs", timeline)
        sys.stdout.write(f"{verdict}\n")
        sys.exit(bool(verdict.wrong))
    if not programs():
        sys.exit("beanstalkd is not installed")
    faketime = find_faketime()
    clock = faketime or "no libfaketime: no clock is set"
    version = programs()[0].version
    sys.stdout.write(f"Seed {options.seed}, beanstalkd {version}, {clock}\n")
    sys.stdout.flush()
    folder = Path(mkdtemp(prefix="jq-schedules-"))
    with TemporaryDirectory(prefix="jq-") as sockets:
        campaign = Campaign(
            folder,
            Path(sockets),
            options.seed,
            program=programs()[0].path,
            faketime=faketime,
            is_one_machine=options.one_machine,
        )
        verdict = campaign.run(options.minutes * 60)
    sys.stdout.write(f"{verdict}\n")
    if verdict.wrong:
        sys.exit(f"{campaign.timeline}\nsee {folder}")


def find_faketime() -> str | None:
    """Return libfaketime: ``$LIBFAKETIME``, or Debian's; None without one."""
    given = os.environ.get("LIBFAKETIME")
    if given:
        return given
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else None


if __name__ == "__main__":
    main()
