"""The virtual environment of the libraries, and facts about the machine."""

import json
import os
import platform
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.peers import servers
from tests.benchmarks.peers.contenders import Contender
from tests.benchmarks.peers.stage import ROOT

FOLDER = ROOT / "build" / "peers"  # which git ignores
REQUIREMENTS = Path(__file__).parent / "requirements.txt"

VERSIONS = """
import importlib.metadata, json, platform, sys
found = {name: importlib.metadata.version(name) for name in sys.argv[1:]}
print(json.dumps({"Python": platform.python_version()} | found))
"""


def install() -> Path:
    """Install the libraries into a new environment, and return its Python."""
    folder = FOLDER / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run([python, *pip, "--requirement", REQUIREMENTS, ROOT], check=True)
    return python


def python(name: str) -> Path:
    """Return the Python of the libraries: of a new environment, or one that exists."""
    if name == "new":
        return install()
    return Path(sys.executable if name == "current" else name).absolute()


def versions(python: Path, contenders: Iterable[Contender]) -> dict[str, str]:
    """Return the versions of the libraries and servers."""
    names = [name for contender in contenders for name in contender.distributions]
    told = subprocess.run(
        [python, "-c", VERSIONS, *names], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(told.stdout)
    for kind in dict.fromkeys(contender.server for contender in contenders):
        program = "redis-server" if kind == "redis" else kind
        found[program] = servers.version(kind)
    return found


def machine() -> dict[str, str]:
    """Return the facts about the machine that the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 1e9:.0f} GB",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
        "kernel": platform.release().partition("-")[0],
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
