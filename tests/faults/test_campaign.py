"""A campaign in short. ``python -m tests.faults`` is the long one."""

import random
from pathlib import Path

import pytest

from .campaign import Campaign, Size

SHORT = Size(jobs=500, faults=30)


@pytest.mark.usefixtures("_each_beanstalkd")
def test_campaign(tmp_path: Path, socket_folder: Path) -> None:
    """No job is lost, whatever happens to workers, connections and the broker.

    Whether each second run and each burial has a fault to explain it is for the long
    campaign, on a quiet machine: beside other tests, a process may be held up for so
    long that it loses a job, and no fault was noted.
    """
    seed = random.SystemRandom().randrange(2**32)

    campaign = Campaign(tmp_path, socket_folder, seed, SHORT)
    verdict = campaign.run()

    harmed = verdict.lost + verdict.strangers + verdict.escaped + verdict.stranded
    about = campaign.ledger.about(harmed) if harmed else ""
    said = f"{verdict}, by the seed {seed}\n{about}"
    assert not harmed, said
    assert verdict.put >= SHORT.jobs, said
    assert verdict.faults.total() >= SHORT.faults, said
    assert verdict.busy > 0, said
