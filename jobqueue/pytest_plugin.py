"""The fixtures that pytest finds by itself wherever jobqueue is installed.

What they need is imported when one is used, as this is imported by every pytest.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobqueue.testing import RanJob


class RunJobs(Protocol):
    """What the fixture ``run_jobs`` is: that of jobqueue.testing, the URL given."""

    def __call__(
        self, tubes: Iterable[str] = (), *, reraise: bool = True
    ) -> list[RanJob]:
        """Work jobs off until none is ready, and return what ran."""
        ...


@pytest.fixture
def beanstalkd() -> Iterator[str]:
    """Start a private broker, where all puts of the test go, and return its URL."""
    from jobqueue import testing

    with testing.beanstalkd() as url:
        yield url


@pytest.fixture
def run_jobs(beanstalkd: str) -> RunJobs:
    """Return a function that works the test's jobs off, in its own thread."""
    from jobqueue import testing

    return functools.partial(testing.run_jobs, beanstalkd)


@pytest.fixture
def eager() -> Iterator[None]:
    """Have each put of the test run its task at once."""
    from jobqueue import testing

    with testing.eager():
        yield
