"""What an import sends for a job."""

from types import SimpleNamespace
from typing import Any

import pytest

from jobqueue.admin import jsonl
from jobqueue.admin.commands.importer import Importer


@pytest.mark.parametrize(("state", "delay"), [("buried", 77), ("ready", 0)])
def test_delay(state: str, delay: int) -> None:
    """No worker gets a buried job before it is buried again."""
    line = b'{"tube": "t", "body": "{}", "state": "%b"}' % state.encode()

    importer: Any = SimpleNamespace(_burials=SimpleNamespace(delay=77))

    assert Importer._options(importer, jsonl.decode(line)).delay == delay
