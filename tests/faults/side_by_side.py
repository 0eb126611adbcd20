"""A campaign on each of several beanstalkds, at the same time."""

import sys
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.helpers.beanstalkds import Program

from .campaign import Campaign
from .size import Size
from .verdict import Verdict


def side_by_side(
    folders: Mapping[Program, Path], seed: int, size: Size
) -> dict[Program, Future[Verdict]]:
    """Return the result of a campaign on each beanstalkd, with its files in a folder.

    Each has a process of its own, with its proxies.
    """
    with ProcessPoolExecutor(len(folders), get_context("spawn")) as pool:
        return {
            program: pool.submit(_run, program, folder, seed, size)
            for program, folder in folders.items()
        }


def _run(program: Program, folder: Path, seed: int, size: Size) -> Verdict:
    sys.stdout.write(f"beanstalkd {program.version}, files in {folder}\n")
    sys.stdout.flush()
    return Campaign(folder, folder, seed, size, program.path).run()
