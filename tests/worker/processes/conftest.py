"""The application that all tests of processes run."""

from pathlib import Path

import pytest

from tests.helpers.processes import SHAPES
from tests.helpers.servers import Beanstalkd
from tests.helpers.worker_process import (
    copy_app,
)


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    copy_app("processes", tmp_path)
    return tmp_path
