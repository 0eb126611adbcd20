"""Running the commands that a page prints, and comparing what they print."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.servers import Beanstalkd, eventually, free_port

# What differs from run to run: the time of day, how long a job took, a traceback's
# frames, and where this test's broker is.
VARYING = [
    (r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "NOW"),
    (r"\d+\.\d{3} s", "N s"),
    (r"(?s)(Traceback \(most recent call last\):\n)(?:  .*?\n)+(?=\w)", r"\1  ...\n"),
    (r"(beanstalkd|unix)://\S+", "URL"),
    (r"beanstalkd \S+, up [^,]+,", "beanstalkd VERSION, up TIME,"),
    (r" +\d+s(?=  )", " AGE"),
]
WORKER = r"(?:python -m jobqueue\.|jobqueue )worker(?: -[^\n|&;]*|(?= *[\n|&;]|$))"


def settled(text: str) -> str:
    for pattern, replacement in VARYING:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def commands(block: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output that it shows."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def environment(broker: Beanstalkd) -> Mapping[str, str]:
    """Return an environment with the broker's URL and with this Python's programs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    more = {"BEANSTALKD_URL": broker.url, "PATH": path, "PYTHONUNBUFFERED": "1"}
    return os.environ | more


def run(command: str, expected: str, folder: Path, broker: Beanstalkd) -> str:
    """Run a command, press Ctrl-C where its output shows it, and return the output."""
    before, interrupt, _ = expected.partition("^C\n")
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}" if interrupt else command],
            cwd=folder,
            env=environment(broker),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        if interrupt:
            eventually(lambda: settled(output.read_text()), settled(before))
            process.send_signal(signal.SIGINT)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
    return output.read_text()


def check_console(block: str, folder: Path, broker: Beanstalkd) -> None:
    """Run the commands of a console block: each prints what the block shows."""
    for command, expected in commands(block):
        output = run(command, expected, folder, broker)
        assert settled(expected.replace("^C\n", "")) == settled(output)


def sh(
    script: str, broker: Beanstalkd, folder: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-uc", script],
        cwd=folder,
        env=environment(broker),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def ending(script: str) -> str:
    """Return a script whose workers end when no job is ready, on ports of their own."""
    script = re.sub(WORKER, lambda worker: f"{worker[0].rstrip()} --burst ", script)
    return re.sub(r"(--\w+-port) \d+", lambda m: f"{m[1]} {free_port()}", script)
