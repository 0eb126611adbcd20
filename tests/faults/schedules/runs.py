"""What the jobs of a campaign have noted."""

import json
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """The first run of a job. ``at`` is by ``time.monotonic()``."""

    due: int
    job: int
    at: float


def runs_of(file: Path) -> dict[str, list[Run]]:
    """Return the runs of each task, in the order in which they were."""
    found: dict[str, dict[int, Run]] = {}
    for line in file.read_text().splitlines():
        noted = json.loads(line)
        run = Run(noted["due"], noted["job"], noted["at"])
        found.setdefault(noted["name"], {}).setdefault(run.job, run)
    return {
        name: sorted(runs.values(), key=lambda run: run.at)
        for name, runs in found.items()
    }
