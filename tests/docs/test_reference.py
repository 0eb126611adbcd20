"""The pages of the reference say what the code defines.

The directives of reference/api, reference/api-operating and reference/api-testing are
generated, too: CI builds the site from them, with warnings as errors.
"""

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from jobqueue import JobQueue, Worker
from jobqueue.broker.stats import JobState
from jobqueue.job import body
from jobqueue.job.headers import DUE, MAX_AGE, MAX_SIZE
from tests.docs.reference.pages import COMMAND, PAGES, REFERENCE, with_tables
from tests.helpers.pages import blocks, page
from tests.helpers.paths import ROOT
from tests.helpers.servers import Beanstalkd, free_port

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "path", PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_tables(path: Path) -> None:
    """Each table is as its generator writes it today."""
    old = path.read_text()

    assert old == with_tables(old, PAGES[path]), f"out of date: run `{COMMAND}`"


def test_pages() -> None:
    """A page of the reference is generated, or it is that of the body."""
    assert {*REFERENCE.glob("*.md")} <= {*PAGES, REFERENCE / "body.md"}


def test_keys_of_body() -> None:
    """The page reference/body has all keys, and its job is one."""
    text = page("reference/body").read_text()
    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    keys = {body._HEADERS, body._SIGNATURE} | body._KEYS
    (job,) = blocks("reference/body", "json")

    assert len(listed) == len(keys)
    assert set(listed) == keys
    assert body.decode(job.encode()).func_name == "send"
    assert f"{MAX_SIZE:,} bytes" in text
    assert f"{body.MAX_DEPTH} levels" in text
    assert all(f"`{name}`" in text for name in (MAX_AGE, DUE))


def test_put_by_hand() -> None:
    """The printed program puts a job that a worker runs."""
    (program,) = blocks("reference/body", "python")
    port = free_port()
    ran = []
    with Beanstalkd(port) as broker:
        script = program.replace("11300", str(port))
        said = subprocess.check_output([sys.executable, "-c", script], text=True)

        @JobQueue(broker.url).task("emails")
        def send(to: str, subject: str) -> None:
            ran.append((to, subject))

        Worker(burst=True).run()

    assert said.splitlines() == [r"b'USING emails\r\n'", r"b'INSERTED 1\r\n'"]
    assert ran == [("ada@example.org", "Hello")]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_pictures(picture: Path) -> None:
    """A picture has a text for those who can't see it, and colours for the dark."""
    root = ET.fromstring(picture.read_text())
    style = root.findtext(f"{SVG}style") or ""
    light, dark = style.split("@media (prefers-color-scheme: dark)")

    assert root.findtext(f"{SVG}title")
    assert root.findtext(f"{SVG}desc")
    classes = {name for e in root.iter() for name in e.get("class", "").split()}
    coloured = set(re.findall(r"\.([\w-]+) \{[^}]*(?:fill|stroke): #", light))
    assert classes & coloured <= set(re.findall(r"\.([\w-]+) \{", dark))


def test_states_of_picture() -> None:
    """The picture has each state that a job can be in."""
    root = ET.parse(ROOT / "docs/pictures/states.svg").getroot()
    heads = {e.text for e in root.iter(f"{SVG}text") if e.get("class") == "head"}

    assert heads == {*(state.value for state in JobState), "deleted"}


def test_site_needs_only_its_extra() -> None:
    """The site's configuration imports nothing that its extra does not install."""
    tree = ast.parse((ROOT / "docs/conf.py").read_text())
    imported = {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }

    assert imported <= {"docutils", "jobqueue", "pathlib", "sphinx", "tests"}
