"""The context of all measurements: the Python, the sizes, and the notebook."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers import stage
from tests.benchmarks.peers.contenders import Contender
from tests.benchmarks.peers.result import Notebook
from tests.benchmarks.peers.settings import Settings


@dataclass(frozen=True, slots=True)
class Bench:
    """A run: the Python of the libraries, a folder for it, sizes and figures."""

    python: Path
    folder: Path
    settings: Settings
    book: Notebook

    def stage(self, contender: Contender) -> AbstractContextManager[stage.Stage]:
        """Run a new server for a library."""
        return stage.stage(contender, self.python, self.folder)
