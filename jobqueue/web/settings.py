"""WebSettings: who may see the page, what it hides, and whether it changes anything."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from jobqueue.errors import OptionError

SHORTEST_PASSWORD = 12  # characters
ANY_HOST = "*"

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The settings of the page, checked. No ``repr`` shows the password."""

    hosts: frozenset[str]  # lower case; beside those of this machine
    password: str | None = field(repr=False)
    behind_proxy: bool
    allow_actions: bool
    hide_arguments: bool

    @classmethod
    def checked(
        cls,
        *,
        hosts: Iterable[str] = (),
        password: str | None = None,
        behind_proxy: bool = False,
        allow_actions: bool = False,
        hide_arguments: bool = False,
    ) -> Self:
        """Return the settings. Raises :class:`~jobqueue.errors.OptionError`."""
        if isinstance(hosts, str):
            raise OptionError(f"hosts has to be a list of names, as in [{hosts!r}]")
        if password is not None and len(password) < SHORTEST_PASSWORD:
            raise OptionError(
                f"the password of the page has to have at least {SHORTEST_PASSWORD} "
                "characters: anybody who reaches the page may guess. "
                "`openssl rand -base64 18` makes one"
            )
        return cls(
            hosts=frozenset(map(_host, hosts)),
            password=password,
            behind_proxy=behind_proxy,
            allow_actions=allow_actions,
            hide_arguments=hide_arguments,
        )

    @property
    def is_open(self) -> bool:
        """Whether other machines may ask: something asks for a login."""
        return self.behind_proxy or self.password is not None


def _host(name: str) -> str:
    if name == ANY_HOST or _NAME.fullmatch(name):
        return name.lower()
    raise OptionError(
        f"{name!r} is not the name of a host, as in ops.example.org: it has no scheme, "
        "no port and no path"
    )
