"""Fixtures that pytest finds by itself wherever jobqueue is installed.

They import what they need when they are used, as every run of pytest imports this.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobqueue.testing import RanJob


class RunJobs(Protocol):
    """The type of the fixture ``run_jobs``."""

    def __call__(
        self, tubes: Iterable[str] = (), *, reraise: bool = True
    ) -> list[RanJob]:
        """Run jobs until none is ready: see :func:`jobqueue.testing.run_jobs`."""
        ...


@pytest.fixture
def beanstalkd() -> Iterator[str]:
    """Start a private broker for all puts of the test, and return its URL."""
    from jobqueue import testing

    with testing.beanstalkd() as url:
        yield url


@pytest.fixture
def run_jobs(beanstalkd: str) -> RunJobs:
    """Return a function that runs the test's jobs, in the thread of the test."""
    from jobqueue import testing

    return functools.partial(testing.run_jobs, beanstalkd)


@pytest.fixture
def eager() -> Iterator[None]:
    """Make each put of the test run its task at once."""
    from jobqueue import testing

    with testing.eager():
        yield
