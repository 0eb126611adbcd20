"""The commands of all pages that save jobs in a file, and delete them.

They are on operating/incidents.
"""

import re
from pathlib import Path

import pytest

from tests.helpers.pages import all_blocks
from tests.helpers.paths import PAGES
from tests.helpers.printed_commands import sh
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import bury, operate

SCRIPTS = {
    f"{page.stem}:{block.line}": block.text
    for page in PAGES
    for block in all_blocks(page)
    if re.search(r"\bjobqueue export\b", block.text)
    and re.search(r"\bjobqueue (?:delete|clear)\b", block.text)
}
# Puts a job into the tube right after the export, as a worker would bury one.
LATER = """
jobqueue() {
    command jobqueue "$@" || return
    if [ "$1" = export ]; then command jobqueue import later.jsonl >&2; fi
}
"""


def found(script: str, broker: Beanstalkd, tmp_path: Path) -> dict[str, int]:
    """Have the tube hold what the script looks for, and return the tube's counts."""
    (func_name,) = re.findall(r"export .*--func (\w+)", script) or ["send"]
    for number in range(2):
        operate(broker, "put", "emails", func_name, f"to={number}")
    if "--state buried" in script:
        bury(broker, [1, 2])
    exported = operate(broker, "export", "emails").stdout
    (tmp_path / "later.jsonl").write_text(exported.splitlines(keepends=True)[0])
    return broker.counts("emails")


@pytest.mark.parametrize("name", SCRIPTS)
def test_export_that_fails(name: str, tmp_path: Path, broker: Beanstalkd) -> None:
    """Jobs that are in no file are not deleted."""
    before = found(SCRIPTS[name], broker, tmp_path)
    (file,) = set(re.findall(r"> (\S+)", SCRIPTS[name]))
    (tmp_path / file).symlink_to("/dev/full")

    done = sh(SCRIPTS[name], broker, tmp_path)

    assert "can't write the output" in done.stderr
    assert broker.counts("emails") == before


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_comes_later(name: str, tmp_path: Path, broker: Beanstalkd) -> None:
    """A job that comes after the export is not deleted: the file lacks it."""
    (state,) = found(SCRIPTS[name], broker, tmp_path)

    done = sh(LATER + SCRIPTS[name], broker, tmp_path)

    assert done.returncode == 0, done.stderr
    assert broker.counts("emails") == {state: 1}


def test_pages() -> None:
    """Both are where an operator looks for them, and no page says them again."""
    assert [name.partition(":")[0] for name in SCRIPTS] == ["incidents"] * 2
