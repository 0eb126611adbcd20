"""The address that the development server listens on."""

import errno
import re
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 11300
BACKLOG = 1024  # connections that wait to be accepted: as many as for beanstalkd
_MAX_PORT = 65535

_HOST_AND_PORT = re.compile(r"(\[[^]]+\]|[^:]*)(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and port, or the path of a Unix socket."""

    target: tuple[str, int] | Path

    @classmethod
    def parse(cls, text: str, port: int | None = None) -> Self:
        """Return the endpoint of ``HOST``, ``HOST:PORT`` or ``unix:PATH``.

        ``port`` is used if the text names none. Raises ``ValueError``.
        """
        if text.startswith("unix:"):
            if text == "unix:":
                raise ValueError("unix: needs a path, as in unix:/tmp/jobs.sock")
            return cls(Path(text.removeprefix("unix:")).absolute())
        found = _HOST_AND_PORT.fullmatch(text)
        if found:
            host, own_port = found[1].strip("[]"), found[2]
        elif text.count(":") > 1:
            host, own_port = text, None  # an IPv6 address without brackets
        else:
            raise ValueError(f"{text.partition(':')[2]!r} is no port")
        number = int(own_port) if own_port else DEFAULT_PORT if port is None else port
        if number > _MAX_PORT:
            raise ValueError(f"{number} is no port: they end at {_MAX_PORT}")
        return cls((host or DEFAULT_HOST, number))

    @classmethod
    def of(cls, sock: socket.socket) -> Self:
        """Return the endpoint that a socket listens on, with the port that it got."""
        name = sock.getsockname()
        return cls(Path(name) if isinstance(name, str) else name[:2])

    @property
    def url(self) -> str:
        """The URL for clients of jobqueue."""
        if isinstance(self.target, Path):
            return f"unix://{self.target}"
        host, port = self.target
        return f"beanstalkd://{f'[{host}]' if ':' in host else host}:{port}"

    def listen(self) -> socket.socket:
        """Return a socket that listens here.

        Raises ``OSError``, which says what to do if another server listens here.
        """
        try:
            if isinstance(self.target, Path):
                return _listen_on_unix(self.target)
            return _listen_on_tcp(*self.target)
        except OSError as error:
            # create_server adds the address to the reason; the message names it anyway.
            reason = str(error.strerror or error).partition(" (while ")[0]
            advice = ""
            if error.errno == errno.EADDRINUSE:
                advice = (
                    ": if a server runs there already, stop it, or name another "
                    "address; port 0 is any free one"
                )
            raise OSError(
                error.errno, f"can't listen on {self.url} ({reason}){advice}"
            ) from None

    def leave(self) -> None:
        """Remove the file of a Unix socket, which stays behind when it is closed."""
        if isinstance(self.target, Path):
            self.target.unlink(missing_ok=True)


def _listen_on_tcp(host: str, port: int) -> socket.socket:
    (family, _, _, _, address), *_ = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return socket.create_server(address[:2], family=family, backlog=BACKLOG)


def _listen_on_unix(path: Path) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("there are no Unix sockets on this system")
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode) and not _has_listener(path):
            path.unlink()  # left behind by a server that was killed
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(str(path))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _has_listener(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
