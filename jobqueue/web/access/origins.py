"""Whether a change was asked for by a page of ours.

A foreign page can have a browser send a form here, with the browser's password for us.
Browsers say where a form was sent from: by ``Sec-Fetch-Site`` where the connection is
safe, and by ``Origin`` with every POST.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers


def is_same_origin(headers: Headers) -> bool:
    """Return whether a request comes from a page of the same host and port.

    A proxy may end TLS, so the scheme is not known here.

    A request that says neither comes from no browser of today, and is refused.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return _place(origin) == headers.get("host", "").lower()
    return site is not None


def _place(origin: str) -> str | None:
    """Return the host and port of an origin; None for one that is opaque."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in {"http", "https"} else None
