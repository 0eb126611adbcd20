from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest

from jobqueue import JobQueue
from jobqueue.subscriber import subscriber

from .support import Beanstalkd

# Machines stall; no test asserts a time.
hypothesis.settings.register_profile("jobqueue", deadline=None)
hypothesis.settings.load_profile("jobqueue")


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test what a new process has: an empty map, and no broker's URL."""
    monkeypatch.setattr(subscriber, "_tubes", {})
    monkeypatch.delenv("BEANSTALKD_URL", raising=False)
    yield
    JobQueue.default().close()


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """Return a folder whose path is short enough for a Unix socket (108 bytes)."""
    with TemporaryDirectory(prefix="jq-") as folder:
        yield Path(folder)


@pytest.fixture
def broker(socket_folder: Path) -> Iterator[Beanstalkd]:
    with Beanstalkd(socket_folder / "b.sock") as beanstalkd:
        yield beanstalkd


@pytest.fixture
def queue(broker: Beanstalkd) -> Iterator[JobQueue]:
    with JobQueue(broker.url) as queue:
        yield queue
