"""The campaign in short. ``python -m tests.faults.schedules`` is the long one."""

import random
from pathlib import Path

import pytest

from tests.helpers.beanstalkds import programs

from .__main__ import find_faketime
from .campaign import Campaign


@pytest.mark.thorough
def test_schedules_under_faults(tmp_path: Path, socket_folder: Path) -> None:
    """Each due time is put once; again, or not at all, only if a fault explains it."""
    seed = random.SystemRandom().randrange(2**32)
    campaign = Campaign(
        tmp_path,
        socket_folder,
        seed,
        program=programs()[0].path,
        faketime=find_faketime(),
    )

    verdict = campaign.run(40, pause=(1, 2))

    assert not verdict.wrong, f"{verdict}\n{campaign.timeline}\nseed {seed}"
    assert (
        verdict.once.total() > 20
    )  # fewer if the clock is set back, and shows some anew
