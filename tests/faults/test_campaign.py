"""A campaign in short. ``python -m tests.faults`` is the long one."""

import random
from pathlib import Path

import pytest

from .campaign import Campaign, Size

SHORT = Size(jobs=1000, faults=40)


@pytest.mark.parametrize("number", range(2))
@pytest.mark.usefixtures("_each_beanstalkd")
def test_campaign(tmp_path: Path, socket_folder: Path, number: int) -> None:
    """No job is lost, whatever happens to workers, connections and the broker."""
    seed = random.SystemRandom().randrange(2**32)

    campaign = Campaign(tmp_path, socket_folder, seed, SHORT)
    verdict = campaign.run()

    wrong = [*verdict.lost, *verdict.strangers, *verdict.unexplained]
    about = campaign.ledger.about(wrong) if wrong else ""
    said = f"{number}: {verdict}, by the seed {seed}\n{about}"
    assert verdict.is_good, said
    assert verdict.put >= SHORT.jobs, said
    assert verdict.faults.total() >= SHORT.faults, said
