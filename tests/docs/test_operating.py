"""The pages operating/commands, operating/failures and operating/metrics."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.noted_failure import put_note
from tests.helpers.pages import blocks, page, write_page
from tests.helpers.printed_commands import check_console
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import environment, put, put_buried


@pytest.mark.parametrize("name", ["operating/commands", "operating/failures"])
def test_commands(name: str, tmp_path: Path, broker: Beanstalkd) -> None:
    """Each command prints what the page shows, after the commands of the tour."""
    write_page("start/tour", tmp_path)
    for console in blocks("start/tour", "console") + blocks(name, "console"):
        check_console(console, tmp_path, broker)


def test_status(tmp_path: Path, broker: Beanstalkd) -> None:
    """The functions for a web application say how a job is, and cancel it."""
    write_page("start/tour", tmp_path)
    write_page("operating/commands", tmp_path)
    put(broker)
    put_note(broker, *put_buried(broker))
    script = (
        "from app.status import *; print(status(1), cancel(1), status(1), status(2))"
    )

    printed = subprocess.check_output(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(broker), text=True
    )

    assert printed == "ready True done buried: no such address\n"


def test_queries() -> None:
    """The queries of operating/metrics ask for metrics that the reference has."""
    (queries,) = blocks("operating/metrics", "promql")
    listed = re.findall(
        r"^\| `(jobqueue_\w+)`", page("reference/metrics").read_text(), re.MULTILINE
    )

    asked = {
        name.removesuffix("_bucket") for name in re.findall(r"jobqueue_\w+", queries)
    }
    assert len(asked) == 4
    assert asked <= set(listed)
