"""Addresses of our own pages, under whatever path these are mounted."""

from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request

Link = Callable[..., str]


def link_of(request: Request) -> Link:
    """Return a function from a path of ours, and its query, to a link.

    Names of tubes are in queries: they may contain slashes, and even be ``..``.
    """
    root = quote(request.scope.get("root_path", ""))

    def link(path: str, **query: object) -> str:
        given = {name: value for name, value in query.items() if value is not None}
        return f"{root}{path}" + (f"?{urlencode(given)}" if given else "")

    return link


def one(values: Mapping[str, str], name: str) -> str | None:
    """Return a value of a query or a form; None if it is missing or empty."""
    return values.get(name) or None
