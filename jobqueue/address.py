"""Where the broker is: beanstalkd URLs."""

import os
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from jobqueue.errors import BrokerURLError

DEFAULT_URL = "beanstalkd://127.0.0.1:11300"
DEFAULT_PORT = 11300


@dataclass(frozen=True, slots=True)
class Address:
    """Where a beanstalkd listens: a host and port, or the path of a Unix socket."""

    target: tuple[str, int] | str

    @classmethod
    def find(cls, url: str | None) -> Self:
        """Return the address of a URL, else of ``$BEANSTALKD_URL``, else the default.

        Raises :class:`~jobqueue.errors.BrokerURLError`.
        """
        return cls.parse(url or os.environ.get("BEANSTALKD_URL") or DEFAULT_URL)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the address that a URL names.

        Raises :class:`~jobqueue.errors.BrokerURLError`, which says what a good one
        looks like, and never shows a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except (ValueError, TypeError, AttributeError) as error:
            raise _bad_url(url, str(error)) from None
        if parts.query or parts.fragment:
            raise _bad_url(url, "nothing may follow the address")
        if parts.scheme == "beanstalkd":
            if "@" in parts.netloc:
                raise _bad_url(url, "beanstalkd has no users or passwords")
            if not parts.hostname or port == 0 or parts.path not in {"", "/"}:
                raise _bad_url(url, "a host is needed, then at most a port")
            return cls((parts.hostname, port or DEFAULT_PORT))
        if parts.scheme == "unix":
            path = unquote(parts.path)
            if parts.netloc or not path.strip("/") or "\0" in path:
                raise _bad_url(url, "an absolute path is needed")
            return cls(path)
        raise _bad_url(url, "the scheme has to be beanstalkd or unix")

    def __str__(self) -> str:
        if isinstance(self.target, str):
            return f"unix://{quote(self.target)}"
        host, port = self.target
        return f"beanstalkd://{f'[{host}]' if ':' in host else host}:{port}"


def _bad_url(url: object, problem: str) -> BrokerURLError:
    # A URL meant for something else may hold a password or a token.
    shown = re.sub(r"[^/]*@", "***@", str(url).partition("?")[0])
    return BrokerURLError(
        f"{shown!r} is not a broker's URL ({problem}). It should look like "
        f"{DEFAULT_URL}, beanstalkd://[::1]:11300 or unix:///run/beanstalkd.sock"
    )
