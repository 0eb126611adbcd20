"""The beanstalkd programs that are there: on the PATH, and named in the environment.

Tests that talk to a broker run on each of them, all other tests on the newest.
"""

import functools
import os
import re
import shutil
import subprocess
from typing import NamedTuple

NAME = "beanstalkd"
OTHERS = "JOBQUEUE_TEST_BEANSTALKDS"  # paths of further programs, as in a PATH


class Program(NamedTuple):
    """A beanstalkd on this machine."""

    path: str
    version: str

    @property
    def numbers(self) -> tuple[int, ...]:
        return numbers_of(self.version)


@functools.cache
def programs() -> tuple[Program, ...]:
    """Return every beanstalkd that is there, the newest first."""
    others = os.environ.get(OTHERS, "").split(os.pathsep)
    paths = [path for path in (shutil.which(NAME), *others) if path]
    by_file = {os.path.realpath(path): path for path in paths}
    found = [Program(path, version_of(path)) for path in by_file.values()]
    return tuple(sorted(found, key=lambda program: program.numbers, reverse=True))


def version_of(path: str) -> str:
    """Return the version that a program prints. Raises if it can't run."""
    answer = subprocess.run([path, "-v"], check=True, capture_output=True, text=True)
    return answer.stdout.removeprefix(NAME).strip()


def numbers_of(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version, by which versions are compared."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
