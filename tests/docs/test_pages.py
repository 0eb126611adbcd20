"""The README and all pages of docs: every block is run by a test, every link leads on.

The blocks of a page that names no test of its own (see tests/helpers/pages.py) are run
here, in the page's order, in an empty folder, with a broker:

- `python` whose first line names a file (`# app/tasks.py`) is written there, and
  imported; files of tests are run by pytest after all else. The tour's `app/tasks.py`
  and the `shop/tasks.py` of the recipes are there from the beginning.
- Other `python` runs as one program for the page, in which `JobQueue` and a `queue` are
  defined already. It may `await`.
- `console` shows commands after `$ `, and what they print; `^C` is pressed.
- `sh` has to end well. Its workers end when no job is ready.
- `text` is a picture, and not run.
"""

import ast
import asyncio
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from unittest import mock

import pytest

from jobqueue import JobQueue
from jobqueue.task.registry import subscriber
from tests.helpers.pages import Block, all_blocks, write_page, write_printed
from tests.helpers.paths import PAGES, ROOT
from tests.helpers.printed_commands import check_console, ending, sh
from tests.helpers.servers import Beanstalkd

HERE = ("python", "console", "sh")  # what these tests can run


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


BLOCKS = {page: all_blocks(page) for page in PAGES}
RUN_HERE = {
    page: found
    for page, blocks in BLOCKS.items()
    if (found := [block for block in blocks if not block.run_by])
}


class Page:
    """Runs the blocks of a page, one after the other."""

    def __init__(self, page: Path, folder: Path, broker: Beanstalkd) -> None:
        self._page = page
        self._folder = folder
        self._broker = broker
        queue = JobQueue(broker.url)
        self._names: dict[str, Any] = {
            "__name__": "page",
            "JobQueue": JobQueue,
            "queue": queue,
        }
        self._tubes: Any = {}  # the tasks of these
        self._tests: list[str] = []

    def run(self, blocks: list[Block]) -> None:
        for block in blocks:
            if block.language == "python":
                self._run_python(block)
            elif block.language == "console":
                check_console(block.text, self._folder, self._broker)
            elif block.language == "sh":
                script = f"{ending(block.text)}\nwait"
                done = sh(f"set -e\n{script}", self._broker, self._folder)
                assert done.returncode == 0, done.stderr
        if self._tests:
            self._run_tests()

    def _run_python(self, block: Block) -> None:
        if not block.file:
            self._execute(block)
            return
        module = write_printed(block.text, self._folder)
        importlib.invalidate_caches()
        if module.rpartition(".")[2].startswith("test_"):
            self._tests.append(block.file)
        elif module in sys.modules:  # printed again, with a change
            importlib.reload(sys.modules[module])
        else:
            importlib.import_module(module)

    def _execute(self, block: Block) -> None:
        """Run a block as the prompt of ``python -m asyncio`` would."""
        source = "\n" * (block.line - 1) + inspect.cleandoc(block.text)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code: CodeType = compile(source, str(self._page), "exec", flags)
        with mock.patch.object(subscriber, "_tubes", self._tubes):
            if code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(eval(code, self._names))
            else:
                exec(code, self._names)

    def _run_tests(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-W", "error", *self._tests],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    def close(self) -> None:
        """Close the queues, and forget the modules, of the page."""
        for module in self._modules():
            del sys.modules[module.__name__]
            self._close_queues(vars(module))
        self._close_queues(self._names)

    def _modules(self) -> Iterator[ModuleType]:
        for module in list(sys.modules.values()):
            if str(getattr(module, "__file__", "")).startswith(f"{self._folder}/"):
                yield module

    @staticmethod
    def _close_queues(names: dict[str, Any]) -> None:
        for value in names.values():
            if isinstance(value, JobQueue):
                value.close()


@pytest.mark.parametrize("page", RUN_HERE, ids=name_of)
def test_blocks(
    page: Path, tmp_path: Path, broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEANSTALKD_URL", broker.url)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("start/tour", "recipes/index"):
        write_page(name, tmp_path)
    running = Page(page, tmp_path, broker)
    try:
        running.run(RUN_HERE[page])
    finally:
        running.close()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_block_is_run(page: Path) -> None:
    """A block that isn't run here names the file that runs it, which names the page."""
    name = name_of(page).removeprefix("docs/").removesuffix(".md")
    for block in BLOCKS[page]:
        where = f"{name_of(page)}:{block.line}"
        if not block.run_by:
            assert block.language in {*HERE, "text"}, where
        else:
            runner = ROOT / block.run_by
            assert runner.exists(), where
            assert name in runner.read_text(), f"{block.run_by} does not name {name}"


def anchors(page: Path) -> set[str]:
    text = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text())
    return {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.resolve()), link
