"""The fenced blocks of the README."""

import re
from pathlib import Path

from tests.helpers.paths import README
from tests.helpers.worker_process import write_module


def blocks(heading: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of one section, each with its language."""
    section = README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def write_printed(block: str, folder: Path) -> None:
    """Write a Python block into the file that its first line names."""
    path = block.partition("\n")[0].removeprefix("# ")
    write_module(folder, path.removesuffix(".py").replace("/", "."), block)
