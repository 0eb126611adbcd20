"""Real worker processes, and the modules that they import."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.helpers.paths import ROOT
from tests.helpers.servers import DEADLINE, eventually_true

PROC = Path("/proc")


class WorkerProcess:
    """`python -m jobqueue.worker`, with its log in a file."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        wrapped_in: Sequence[str] = (),
        new_group: bool = False,
        **env: str,
    ) -> None:
        self._folder = folder
        self._log = folder / f"worker-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*wrapped_in, sys.executable, "-m", "jobqueue.worker", *arguments],
                process_group=0 if new_group else None,
                cwd=folder,
                env=os.environ | env,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, text: str) -> None:
        """Wait until the log has this text."""

        def found() -> bool:
            if text in self.log:
                return True
            if self.process.poll() is not None:
                raise AssertionError(f"no {text!r} in the log, at exit:\n{self.log}")
            return False

        try:
            eventually_true(found)
        except AssertionError as error:
            raise AssertionError(f"{error}: no {text!r} in\n{self.log}") from None

    def pids(self) -> list[int]:
        """Return the ids of all processes that its log says have started."""
        found = re.findall(r"INFO \[(\d+)\] Worker started", self.log)
        return [int(pid) for pid in found] or [self.process.pid]

    def running_pids(self) -> list[int]:
        """Return the processes that run, even those whose supervisor has ended."""
        if not PROC.exists():  # not Linux
            return [pid for pid in self.pids() if is_running(pid)]
        found = [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()]
        return [pid for pid in found if is_running(pid) and self._is_own(pid)]

    def children(self) -> list[int]:
        """Return the processes that the supervisor has, on Linux."""
        pid = self.process.pid
        with suppress(OSError):
            return [
                int(child)
                for child in (PROC / f"{pid}/task/{pid}/children").read_text().split()
            ]
        return []

    def _is_own(self, pid: int) -> bool:
        with suppress(OSError):
            command = (PROC / str(pid) / "cmdline").read_bytes()
            folder = (PROC / str(pid) / "cwd").readlink()
            return b"jobqueue.worker" in command and folder == self._folder.resolve()
        return False

    def signal_group(self, signum: signal.Signals) -> None:
        """Send a signal to all processes, if they have a group of their own."""
        os.killpg(self.process.pid, signum)

    def signal_all(self, signum: signal.Signals) -> None:
        """Send a signal to the supervisor and to its processes."""
        for pid in [self.process.pid, *self.children()]:
            os.kill(pid, signum)

    def ends_at(self, signum: signal.Signals) -> bool:
        """Send a signal, unless it has ended; return whether it has.

        To be called again and again: a second signal counts a second after the first.
        """
        self.process.send_signal(signum)
        return self.process.poll() is not None

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self.process.send_signal(signum)

    def exit_code(self, within: float = DEADLINE) -> int:
        return self.process.wait(within)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            children = self.children()
            self.process.kill()
            self.process.wait()
            for pid in children:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def write_module(folder: Path, name: str, source: str) -> None:
    """Write a module by its dotted name, and the packages that it lies in."""
    path = folder / (name.replace(".", "/") + ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for parent in path.relative_to(folder).parents[:-1]:
        (folder / parent / "__init__.py").touch()
    path.write_text(source)


def copy_app(name: str, folder: Path) -> None:
    """Copy an application of tests/apps into a folder, as its module `tasks`."""
    folder.mkdir(exist_ok=True)
    shutil.copy(ROOT / f"tests/apps/{name}.py", folder / "tasks.py")


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():  # not Linux
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
