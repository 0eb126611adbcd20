"""The operator's command line, in a pipe and in a terminal, and jobs to operate on."""

import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Self
from unittest import mock

from jobqueue.admin.cli import main
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from tests.helpers.fake_broker import FakeBroker
from tests.helpers.servers import DEADLINE, Beanstalkd, eventually_true

COMMAND = [sys.executable, "-W", "error", "-m", "jobqueue"]
HOME = "\x1b[H"  # where a new screen begins
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78]")


def operate(
    broker: Beanstalkd | FakeBroker, *arguments: object, stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run a command as in a pipe, but in this process, which is quicker."""
    pipes = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(pipe, "utf-8", write_through=True) for pipe in pipes)
    with (
        mock.patch.dict(os.environ, environment(broker)),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8")),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            status: Any = main(list(map(str, arguments)))
        except SystemExit as end:
            status = end.code
    said = [pipe.getvalue().decode() for pipe in pipes]
    return subprocess.CompletedProcess(COMMAND, status, *said)


def operate_in_a_process(
    broker: Beanstalkd | FakeBroker,
    *arguments: object,
    stdin: bytes = b"",
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command in a pipe."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=environment(broker, **env),
        check=False,
        timeout=60,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def operate_json(broker: Beanstalkd, *arguments: object) -> Any:
    """Run a command that prints one JSON value, and return the value."""
    return json.loads(operate(broker, *arguments, "--json").stdout)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def environment(broker: Beanstalkd | FakeBroker, **more: str) -> dict[str, str]:
    return os.environ | {"BEANSTALKD_URL": broker.url, "TERM": "xterm"} | more


def without_rich(folder: Path) -> str:
    """Return a path for modules on which `import rich` fails."""
    (folder / "rich.py").write_text("raise ImportError('no rich')\n")
    return str(folder)


class Terminal:
    """A command in a pseudo-terminal, and its output."""

    def __init__(
        self,
        broker: Beanstalkd,
        *arguments: object,
        size: tuple[int, int] = (100, 30),
        modules: str = "",
    ) -> None:
        self._parent, self._child = pty.openpty()
        columns, lines = size
        window = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._child, termios.TIOCSWINSZ, window)
        self.modes_before = termios.tcgetattr(self._child)
        self._written = b""
        env = environment(broker, PYTHONPATH=modules)
        for name in ("COLUMNS", "LINES"):  # of another terminal, or of pytest-xdist
            env.pop(name, None)
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=self._child,
            stdout=self._child,
            stderr=self._child,
            env=env,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._parent, 2**16)
            except OSError:
                return
            if not data:
                return
            self._written += data

    @property
    def raw(self) -> str:
        return self._written.decode(errors="replace")

    @property
    def text(self) -> str:
        """The output, without the codes that move the cursor and make colours."""
        lines = self.raw.replace(HOME, "\n").replace("\r", "")
        return ESCAPES.sub("", lines)

    def shows(self, text: str, times: int = 1) -> None:
        """Wait until the output has a text a number of times."""
        try:
            eventually_true(lambda: self.text.count(text) >= times)
        except AssertionError:
            raise AssertionError(f"no {text!r} in {self.text!r}") from None

    def types(self, text: str) -> None:
        os.write(self._parent, text.encode())

    def signal(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def exit_code(self) -> int:
        return self.process.wait(DEADLINE)

    def modes(self) -> list[Any]:
        return termios.tcgetattr(self._child)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._child)  # which ends the reader
        self._reader.join(DEADLINE)
        os.close(self._parent)


def body(n: object = 0, tube: str = "t", func_name: str = "send") -> bytes:
    job = {"func_name": func_name, "tube": tube, "kwargs": {"n": n}}
    return json.dumps(job).encode()


def put(
    broker: Beanstalkd,
    count: int = 1,
    tube: str = "t",
    *,
    delay: int = 0,
    priority: int = 2**16,
    ttr: int = 60,
    text: str = "",
) -> list[int]:
    """Put jobs and return their ids."""
    options = PutOptions(delay=delay, priority=priority, ttr=ttr)
    with OperatorConnection(Address.parse(broker.url)) as connection:
        bodies = (body(text or n, tube) for n in range(count))
        return connection.put_many(tube, bodies, options)


def put_buried(broker: Beanstalkd, count: int = 1, tube: str = "t") -> list[int]:
    ids = put(broker, count, tube)
    bury(broker, ids)
    return ids


def bury(broker: Beanstalkd, ids: Iterable[int], priority: int = 7) -> None:
    with OperatorConnection(Address.parse(broker.url)) as connection:
        assert all(connection.bury(n, priority) for n in ids)


def delete(broker: Beanstalkd, ids: Iterable[int]) -> None:
    with OperatorConnection(Address.parse(broker.url)) as connection:
        assert all(connection.delete_jobs(ids))
