"""The installations of the README and of start/install, as they are printed there."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.helpers.pages import blocks
from tests.helpers.paths import ROOT

COPIED = ("pyproject.toml", "README.md", "LICENSE")
FROM_REPOSITORY, FROM_CHECKOUT = blocks("start/install", "sh")


def test_commands_are_alike() -> None:
    """The README prints the first command of the page start/install."""
    assert blocks("README", "sh", section="Install") == [FROM_REPOSITORY]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "jobqueue", folder / "jobqueue", ignore=shutil.ignore_patterns("*.pyc")
    )
    for name in COPIED:
        shutil.copy(ROOT / name, folder)
    return folder


def run(command: str, folder: Path, **env: str) -> None:
    """Run a command in an environment of its own."""
    venv.create(folder / "venv")
    # The pip of these tests installs into it, as it has none.
    shim = folder / "venv/bin/pip"
    pip = f"{sys.executable} -m pip --python {folder}/venv/bin/python"
    shim.write_text(f'#!/bin/sh\nexec {pip} "$@"\n')
    shim.chmod(0o755)
    path = f"{shim.parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-euc", command],
        cwd=folder,
        env=os.environ | env | {"PATH": path},
        check=True,
    )


def imports(folder: Path, *names: str) -> None:
    python = folder / "venv/bin/python"
    command = f"import {', '.join(names)}"
    subprocess.run([python, "-c", command], cwd=folder.parent, check=True)


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_from_the_repository(checkout: Path) -> None:
    git = "git -c user.name=a -c user.email=a@example.org"
    subprocess.run(
        f"git init -q && git add . && {git} commit -q -m Begin",
        shell=True,
        cwd=checkout,
        check=True,
    )
    run(FROM_REPOSITORY, checkout, REPOSITORY=f"file://localhost{checkout}")

    imports(checkout, "jobqueue", "rich", "cronsim", "prometheus_client")


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_from_a_checkout(checkout: Path) -> None:
    run(FROM_CHECKOUT, checkout)

    imports(checkout, "jobqueue", "rich", "cronsim", "prometheus_client")
