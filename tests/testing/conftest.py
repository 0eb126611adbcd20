from pathlib import Path

import pytest

from jobqueue import JobQueue


@pytest.fixture
def queue(socket_folder: Path) -> JobQueue:
    """Return a queue whose broker is not there."""
    return JobQueue(f"unix://{socket_folder}/nowhere")
