"""Renderer: pages from templates, with all text of others made safe.

Templates escape what HTML obeys. What a reader's eye obeys, such as marks that turn the
direction of reading, and control characters, becomes an escape sequence before: the
filters ``line`` and ``lines``.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from jobqueue.operating import formatting
from jobqueue.safe_text import lines, one_line, shortened
from jobqueue.web import wording
from jobqueue.web.urls import link_of

REFRESH = "jobqueue-refresh"  # the header of our script: only what is live is wanted
MAX_TEXT = 100_000  # characters of a body or a traceback

_TREND_WIDTH, _TREND_HEIGHT = 96, 20
_TREND_POINTS = 60
_STATIC = {
    "icon.svg": "image/svg+xml",
    "page.js": "text/javascript",
    "style.css": "text/css",
}


class StaticFile(NamedTuple):
    """A file of ours: the page's style, script and icon."""

    content: bytes
    media_type: str
    digest: str  # of its content, for its address: browsers keep it


class Renderer:
    """Makes pages from templates. Everything in them is escaped."""

    def __init__(self, site_values: Mapping[str, object]) -> None:
        self.static = {name: _static(name) for name in _STATIC}
        self._environment = Environment(
            autoescape=True,
            loader=PackageLoader("jobqueue.web"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(site_values, wording=wording)
        self._environment.globals["static_digests"] = {
            name: file.digest for name, file in self.static.items()
        }
        self._environment.filters.update(
            ago=formatting.ago,
            brief=formatting.brief,
            call=wording.call_of,
            digest=_digest,
            duration=formatting.duration,
            line=lambda text: one_line(str(text)),
            lines=lambda text: lines(shortened(text, MAX_TEXT)),
            moment=_moment,
            number=lambda count: f"{count:,}",
            of=formatting.number_of,
            rate=formatting.rate,
            size=formatting.size,
            trend=trend,
        )

    def page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        **values: object,
    ) -> Response:
        """Return a page."""
        html = self._environment.get_template(template).render(
            link=link_of(request),
            path=str(request.scope["path"]).removeprefix(
                request.scope.get("root_path", "")
            ),
            is_refresh=is_refresh(request),
            change_token=request.query_params.get("change"),
            **values,
        )
        return HTMLResponse(html, status)


def is_refresh(request: Request) -> bool:
    """Return whether our script asks, for what is live on the page alone."""
    return REFRESH in request.headers


def trend(values: Sequence[float]) -> str:
    """Return the points of a line, for ``<polyline>``: the latest value on the right.

    Of many values, the largest of each few is drawn.
    """
    step = -(-len(values) // _TREND_POINTS) or 1
    drawn = [max(values[start : start + step]) for start in range(0, len(values), step)]
    highest = max(drawn, default=0) or 1
    room = _TREND_HEIGHT - 2
    width = _TREND_WIDTH / (_TREND_POINTS - 1)
    first = _TREND_WIDTH - width * (len(drawn) - 1)
    return " ".join(
        f"{first + width * index:.1f},{1 + room * (1 - value / highest):.1f}"
        for index, value in enumerate(drawn)
    )


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def _digest(values: Sequence[object]) -> str:
    """Return an id for a row, which stays that of the same thing when rows move."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def _static(name: str) -> StaticFile:
    content = files("jobqueue.web").joinpath("static", name).read_bytes()
    return StaticFile(content, _STATIC[name], hashlib.sha256(content).hexdigest()[:16])
