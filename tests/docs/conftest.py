"""The package of the recipes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.servers import Beanstalkd
from tests.helpers.shop import Shop


@pytest.fixture
def shop(
    tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    monkeypatch.syspath_prepend(tmp_path)
    yield Shop(tmp_path)
    if "shop.tasks" in sys.modules:
        sys.modules["shop.tasks"].queue.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]
