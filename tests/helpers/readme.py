"""The fenced blocks of the README, and of the pages in docs."""

import re
from pathlib import Path

from tests.helpers.paths import README
from tests.helpers.worker_process import write_module


def blocks(heading: str, page: Path = README) -> list[tuple[str, str]]:
    """Return the fenced blocks of one section, each with its language."""
    section = page.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^ *```(\w+)\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)


def headings_with_blocks(page: Path) -> set[str]:
    """Return the headings of the sections that have fenced blocks."""
    sections = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]
    return {section.partition("\n")[0] for section in sections if "```" in section}


def write_printed(block: str, folder: Path) -> None:
    """Write a Python block into the file that its first line names."""
    path = block.partition("\n")[0].removeprefix("# ")
    write_module(folder, path.removesuffix(".py").replace("/", "."), block)
