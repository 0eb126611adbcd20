"""What tests with a real browser share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import CHROMIUM
from tests.helpers.servers import Beanstalkd
from tests.helpers.web_process import WebProcess


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )


@pytest.fixture
def web(broker: Beanstalkd, tmp_path: Path) -> Iterator[WebProcess]:
    with WebProcess(tmp_path, "--allow-actions", BEANSTALKD_URL=broker.url) as process:
        yield process
