"""`jobqueue web` as a process, on a port of its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.helpers.servers import eventually_true, free_port


class WebProcess:
    """The command, with its log in a file."""

    def __init__(self, folder: Path, *options: str, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"web-{self.port}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-W", "error", "-m", "jobqueue", "web"),
                    *("--port", str(self.port), *options),
                ],
                cwd=folder,
                env=os.environ | env,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> Self:
        eventually_true(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(self.log)
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
