"""How long the pages of `jobqueue web` take with many tubes and many jobs.

    python tests/benchmarks/web.py [--jobs N] [--tubes N] [--rounds N]

Starts a beanstalkd and the command, and asks for each page as a browser does. Prints
milliseconds: of the first time, when nothing is known yet, and the median after it.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.helpers.servers import REAL, Beanstalkd, free_port
from tests.helpers.terminal import put
from tests.helpers.web_process import WebProcess

PAGES = [
    "/",
    "/?page=3",
    "/?sort=ready",
    "/tube?name=many",
    "/tube?name=many&func=none",
    "/failures",
    "/schedules",
    "/jobs/1",
]


def main() -> None:
    """Measure, and print milliseconds."""
    parser = argparse.ArgumentParser(description="How long do pages take?")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--tubes", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        Beanstalkd(port, program=REAL) as broker,
    ):
        put(broker, options.jobs, "many")
        for number in range(options.tubes):
            put(broker, 1, f"tube-{number:04}")
        print(f"milliseconds, with {options.jobs:,} jobs and {options.tubes:,} tubes")
        print(f"{'page':28} {'first':>6} {'later':>6}")
        with WebProcess(Path(folder), BEANSTALKD_URL=broker.url) as web:
            for page in PAGES:
                first, *later = measured(web.url + page, 1 + options.rounds)
                print(f"{page:28} {first:6.0f} {statistics.median(later):6.0f}")


def measured(url: str, times: int) -> list[float]:
    """Return how many milliseconds a page took, each time."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        with urlopen(url) as reply:
            reply.read()
        found.append(1000 * (time.perf_counter() - begin))
    return found


if __name__ == "__main__":
    main()
