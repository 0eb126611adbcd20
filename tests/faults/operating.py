"""The operator of a campaign: kicks, pauses, exports and imports, by the commands."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.helpers.paths import ROOT

from .ledger import Ledger
from .recording import FAILING, MOVED, TUBES

PAUSE = 2  # seconds
ATTEMPTS = 20  # at an import
FEW = 20  # jobs
LONGEST = 100  # seconds, for a command

Line = dict[str, Any]


@dataclass(slots=True)
class Operator:
    """A thread that runs the operator's commands, one after the other."""

    ledger: Ledger
    url: str
    folder: Path
    rng: random.Random
    stopping: threading.Event = field(default_factory=threading.Event)
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        actions = {
            self._kick: 4,
            self._move_buried: 2,
            self._move_ready: 1,
            self._pause: 1,
            self._look: 1,
        }
        try:
            while not self.stopping.wait(self.rng.uniform(0, 0.4)):
                (action,) = self.rng.choices([*actions], [*actions.values()])
                action()
        except Exception as error:  # noqa: BLE001 - shown at the end of the campaign
            self.failures.append(f"the operator has raised {error!r}")

    def _kick(self) -> None:
        jobs = self._few(self._export(FAILING, "buried"))
        if jobs:
            self.ledger.kicked({job["id"]: _number(job) for job in jobs})
            self._command("kick", "--job", *(str(job["id"]) for job in jobs))

    def _move_buried(self) -> None:
        self._move(self._few(self._export(FAILING, "buried")), "buried")

    def _move_ready(self) -> None:
        tube = MOVED
        self._command("pause", tube, str(PAUSE))
        self._move(self._few(self._export(tube, "ready")), "ready")
        self._command("resume", tube)

    def _pause(self) -> None:
        self._command("pause", self.rng.choice(TUBES), "1")

    def _look(self) -> None:
        self._command("stats", "--json")

    def _few(self, jobs: list[Line]) -> list[Line]:
        return self.rng.sample(jobs, min(len(jobs), self.rng.randint(1, FEW)))

    def _export(self, tube: str, state: str) -> list[Line]:
        status, output = self._command("export", tube, "--state", state)
        # A body that beanstalkd has destroyed is no text.
        jobs = [json.loads(line) for line in output.splitlines()]
        return (
            [] if status else [job for job in jobs if '"number"' in job.get("body", "")]
        )

    def _move(self, jobs: list[Line], state: str) -> None:
        """Put jobs once more, as they are, and then delete the first ones."""
        if not jobs:
            return
        numbers = [_number(job) for job in jobs]
        self.ledger.copied(numbers, state)
        path = self.folder / "moved.jsonl"
        path.write_text("".join(json.dumps(job) + "\n" for job in jobs))
        if self._import(path, numbers):
            self._command("delete", *(str(job["id"]) for job in jobs))

    def _import(self, path: Path, numbers: list[int]) -> bool:
        """Import a file, and go on after each failure; return whether it was all."""
        line = 1
        for _ in range(ATTEMPTS):
            arguments = "--json", "--from-line", str(line), str(path)
            status, output = self._command("import", *arguments)
            if not status:
                return True
            if output:
                said = json.loads(output)
                line = said["next_line"]
                for number in numbers[line - 1 : line - 1 + said["unconfirmed"]]:
                    self.ledger.note("admitted", number)
        return False

    def _command(self, *arguments: str) -> tuple[int, str]:
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "jobqueue", *arguments],
            cwd=self.folder,
            env=os.environ | {"BEANSTALKD_URL": self.url, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            output, errors = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # it writes where it hangs
            output, errors = process.communicate()
        status = process.returncode
        self.ledger.note("command", arguments[0], status)
        if status not in {0, 1} or "Traceback" in errors:
            self.failures.append(f"jobqueue {' '.join(arguments)}: {errors}")
        return status, output


def _number(job: Line) -> int:
    number: int = json.loads(job["body"])["kwargs"]["number"]
    return number
