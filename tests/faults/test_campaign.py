"""A campaign in short. ``python -m tests.faults`` is the long one."""

import random
from pathlib import Path

import pytest

from .campaign import Campaign
from .size import Size
from .verdict import Verdict

SHORT = Size(jobs=500, faults=30)


@pytest.mark.usefixtures("_each_beanstalkd")
def test_campaign(tmp_path: Path, socket_folder: Path) -> None:
    """No job is lost, whatever happens to workers, connections and the broker."""
    judge_campaign(tmp_path, socket_folder, SHORT)


@pytest.mark.thorough
@pytest.mark.usefixtures("_each_beanstalkd")
def test_async_campaign(tmp_path: Path, socket_folder: Path) -> None:
    """The same holds for slots on the event loop."""
    verdict = judge_campaign(tmp_path, socket_folder, SHORT.with_async_tasks())

    threads = verdict.slot_threads
    assert threads[0] > threads.total() / 2, verdict


def judge_campaign(folder: Path, sockets: Path, size: Size) -> Verdict:
    seed = random.SystemRandom().randrange(2**32)

    campaign = Campaign(folder, sockets, seed, size)
    verdict = campaign.run()

    about = campaign.ledger.about(verdict.wrong) if verdict.wrong else ""
    said = f"{verdict}, by the seed {seed}\n{about}"
    assert verdict.is_good, said
    assert verdict.put >= size.jobs, said
    assert verdict.faults.total() >= size.faults, said
    assert verdict.busy > 0, said
    return verdict
