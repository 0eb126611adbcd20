"""Address: where a broker listens, as its URL says."""

import math
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from jobqueue.errors import BrokerURLError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

URL_VARIABLE = "BEANSTALKD_URL"
DEFAULT_URL = "beanstalkd://127.0.0.1:11300"
DEFAULT_PORT = 11300
MAX_TIMEOUT = 10**6  # seconds
DEFAULT_TIMEOUT = 5.0  # seconds
_MAX_PORT = 2**16 - 1

# Parsed without urllib, which is large and slow to import.
_USUAL = re.compile(
    r"beanstalkd://(?P<host>[a-z0-9.-]+)(?::(?P<port>[1-9][0-9]{0,4}))?/?"
    r"|unix://(?P<path>/[A-Za-z0-9._/-]*[A-Za-z0-9._-])"
)


class Address(NamedTuple):
    """Where a beanstalkd listens: a host and port, or the path of a Unix socket.

    ``timeout`` is how many seconds it may take to make a connection, with the look-up
    of the host's name and all of its addresses. An exchange, which sends a command and
    reads the whole reply, may take as many. In bulk, each reply has that time.
    """

    target: tuple[str, int] | str
    timeout: float = DEFAULT_TIMEOUT

    @classmethod
    def find(cls, url: str | None) -> Self:
        """Return the address in a URL, else in ``$BEANSTALKD_URL``, else the default.

        Raises :class:`~jobqueue.errors.BrokerURLError`.
        """
        return cls.parse(url or os.environ.get(URL_VARIABLE) or DEFAULT_URL)

    @classmethod
    def prepare(cls, url: str | None) -> None:
        """Check the URL, if one is given, and import what :meth:`find` will need.

        If a thread imports a module while another one forks, the child waits for ever
        when it imports that module: so no put should be the first to.

        Raises :class:`~jobqueue.errors.BrokerURLError` as :meth:`parse` does. But the
        environment may still change.
        """
        if url is not None:
            cls.parse(url)
        else:
            with suppress(BrokerURLError):
                cls.find(None)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the address in a URL.

        Raises :class:`~jobqueue.errors.BrokerURLError`, whose message has an example of
        a good URL, and never a password.
        """
        usual = _USUAL.fullmatch(str(url))  # callers without types pass anything
        if usual and usual["path"]:
            return cls(usual["path"])
        if usual and (port := int(usual["port"] or DEFAULT_PORT)) <= _MAX_PORT:
            return cls((usual["host"], port))
        return cls._parse_any(url)

    @classmethod
    def _parse_any(cls, url: str) -> Self:
        from urllib.parse import urlsplit  # noqa: PLC0415 - see _USUAL

        # The messages of urllib's errors may quote a password: they are not shown.
        try:
            parts = urlsplit(url)
        except (ValueError, TypeError, AttributeError):
            raise _bad_url(url, "it can't be read") from None
        try:
            port = parts.port
        except (ValueError, TypeError):
            reason = f"the port has to be a number up to {_MAX_PORT}"
            raise _bad_url(url, reason) from None
        return cls(_target(url, parts, port), _timeout(url, parts))

    def __str__(self) -> str:
        if isinstance(self.target, str):
            return f"unix://{_quoted(self.target)}"
        host, port = self.target
        return f"beanstalkd://{f'[{host}]' if ':' in host else host}:{port}"


def _quoted(path: str) -> str:
    if _USUAL.fullmatch(f"unix://{path}"):
        return path
    from urllib.parse import quote  # noqa: PLC0415 - see _USUAL

    return quote(path)


def _target(url: str, parts: "SplitResult", port: int | None) -> tuple[str, int] | str:
    if parts.scheme == "beanstalkd":
        if "@" in parts.netloc:
            raise _bad_url(url, "beanstalkd has no users or passwords")
        if not parts.hostname or port == 0 or parts.path not in {"", "/"}:
            raise _bad_url(url, "a host is needed, then at most a port")
        return parts.hostname, port or DEFAULT_PORT
    if parts.scheme == "unix":
        from urllib.parse import unquote  # noqa: PLC0415

        path = unquote(parts.path)
        if parts.netloc or not path.strip("/") or "\0" in path:
            raise _bad_url(url, "an absolute path is needed")
        return path
    raise _bad_url(url, "the scheme has to be beanstalkd or unix")


def _timeout(url: str, parts: "SplitResult") -> float:
    name, _, value = parts.query.partition("=")
    if name not in {"", "timeout"} or parts.fragment:
        raise _bad_url(url, "only ?timeout=SECONDS may follow the address")
    try:
        timeout = float(value) if name else DEFAULT_TIMEOUT
    except ValueError:
        timeout = math.nan
    if not 0 < timeout <= MAX_TIMEOUT:
        problem = f"the timeout has to be more than 0 and at most {MAX_TIMEOUT} seconds"
        raise _bad_url(url, problem)
    return timeout


def without_passwords(text: str) -> str:
    """Return a text with the users and passwords of its URLs replaced by ``***``."""
    return re.sub(r"://\S*@", "://***@", text)


def _shown(url: str) -> str:
    """Return the parts of a URL that can't be a password or a token.

    The URL may be one of another service. A password in it may contain any character,
    even one that would end the password in a well-formed URL.
    """
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url)
    scheme = match[0] if match else ""
    address, *rest = re.split(r"[?#]", url[len(scheme) :], maxsplit=1)
    if "@" in "".join(rest):
        return f"{scheme}***"
    _, at, location = address.rpartition("@")
    # A port that is not a number may be a password whose host is missing.
    location = re.sub(r"(?s)^([^\[/:]*:)(?!\d*(/|\Z)).+", r"\1***", location)
    return f"{scheme}{'***@' if at else ''}{location}"


def _bad_url(url: object, problem: str) -> BrokerURLError:
    return BrokerURLError(
        f"{_shown(str(url))!r} is not a broker's URL ({problem}). It should look like "
        f"{DEFAULT_URL}, beanstalkd://[::1]:11300 or unix:///run/beanstalkd.sock"
    )
