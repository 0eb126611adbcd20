"""The README and the pages in docs: their fenced blocks, and which test runs each.

The blocks of a page are run by tests/docs/test_pages.py, unless the page says that
another file runs them, in a comment that readers do not see:

    <!-- run by tests/docs/test_tunnel.py -->

Right before a block, the comment is about that block. Anywhere else it is about the
section that it stands in, with its subsections: about the whole page if it comes before
the first of them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.helpers.paths import DOCS, README
from tests.helpers.worker_process import write_module

PRINTED_FILE = re.compile(r"# ([\w/]+\.py)\n")
_FENCE = re.compile(r" *```(\S*)$")
_RUN_BY = re.compile(r" *<!-- run by (\S+) -->$")
_HEADING = re.compile(r"(#+) (.*)$")


class Block(NamedTuple):
    """A fenced block. ``run_by`` is the file that its page names, if it names one."""

    language: str
    text: str
    line: int  # of the page, where the text begins
    headings: tuple[str, ...]  # from the page's title to the section
    run_by: str | None

    @property
    def file(self) -> str | None:
        """The file that it is printed for, which its first line names."""
        match = PRINTED_FILE.match(self.text) if self.language == "python" else None
        return match[1] if match else None


def page(name: str) -> Path:
    """Return the path of a page: ``guide/retries`` is ``docs/guide/retries.md``."""
    return README if name == "README" else DOCS / f"{name}.md"


def all_blocks(page: Path) -> list[Block]:
    return list(_parsed(page.read_text().splitlines(keepends=True)))


def _parsed(lines: list[str]) -> Iterator[Block]:
    headings: list[str] = []
    claims: list[str | None] = []  # of each heading
    language = before = None
    begin = 0
    for number, line in enumerate(lines):
        if language is not None:
            if _FENCE.match(line):
                text = "".join(lines[begin:number])
                run_by = before or next(filter(None, reversed(claims)), None)
                yield Block(language, text, begin + 1, tuple(headings), run_by)
                language = None
        elif fence := _FENCE.match(line):
            language, begin = fence[1], number + 1
            claim = _RUN_BY.match(lines[number - 1])
            before = claim[1] if claim else None
        elif heading := _HEADING.match(line):
            depth = len(heading[1])
            headings = [*headings[: depth - 1], heading[2]]
            claims = [*claims[: depth - 1], *[None] * depth][:depth]
        elif (claim := _RUN_BY.match(line)) and not _FENCE.match(lines[number + 1]):
            claims[-1] = claim[1]


def blocks(name: str, language: str | None = None, section: str = "") -> list[str]:
    """Return the text of the blocks of a page, or of one section of it."""
    return [
        block.text
        for block in all_blocks(page(name))
        if language in {None, block.language}
        and (not section or section in block.headings)
    ]


def write_printed(block: str, folder: Path) -> str:
    """Write a Python block into the file that its first line names; return the name."""
    match = PRINTED_FILE.match(block)
    assert match, f"the first line names no file: {block}"
    name = match[1].removesuffix(".py").replace("/", ".")
    write_module(folder, name, block)
    return name


def write_page(name: str, folder: Path) -> None:
    """Write all files that a page prints."""
    for block in all_blocks(page(name)):
        if block.file:
            write_printed(block.text, folder)
