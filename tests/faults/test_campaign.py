"""A campaign in short. ``python -m tests.faults`` is the long one."""

import random
from pathlib import Path

import pytest

from .campaign import Campaign, Size

SHORT = Size(jobs=500, faults=30)


@pytest.mark.usefixtures("_each_beanstalkd")
def test_campaign(tmp_path: Path, socket_folder: Path) -> None:
    """No job is lost, whatever happens to workers, connections and the broker."""
    seed = random.SystemRandom().randrange(2**32)

    campaign = Campaign(tmp_path, socket_folder, seed, SHORT)
    verdict = campaign.run()

    about = campaign.ledger.about(verdict.wrong) if verdict.wrong else ""
    said = f"{verdict}, by the seed {seed}\n{about}"
    assert verdict.is_good, said
    assert verdict.put >= SHORT.jobs, said
    assert verdict.faults.total() >= SHORT.faults, said
    assert verdict.busy > 0, said
