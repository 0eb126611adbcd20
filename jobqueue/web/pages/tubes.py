"""The first page: all tubes, with their counts and rates, and the broker."""

from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from jobqueue.web.samples import Counts, TubeView
from jobqueue.web.site import Site
from jobqueue.web.urls import one

PAGE = 50  # tubes
_MAX_DIGITS = 6  # of the number of a page

_SORTS: Mapping[str, Callable[[TubeView], float]] = {
    "name": lambda _tube: 0,
    "ready": lambda tube: -tube.stats.ready,
    "buried": lambda tube: -tube.stats.buried,
    "failures": lambda tube: -(tube.rates.failures or 0),
    "puts": lambda tube: -(tube.rates.puts or 0),
}


def tubes(site: Site, request: Request) -> Response:
    """Show the tubes, some at a time, those in trouble first."""
    query = request.query_params
    counts = site.samples.counts()
    words, sort = one(query, "q"), query.get("sort", "")
    found = _sorted(_matching(counts, words), sort)
    pages = max(1, -(-len(found) // PAGE))
    page = min(page_number(query), pages)
    shown = found[(page - 1) * PAGE : page * PAGE]
    return site.renderer.page(
        request,
        "tubes.html",
        counts=counts,
        tubes=shown,
        next_ready=site.samples.next_ready(
            [tube.name for tube in shown if tube.stats.ready]
        ),
        late_schedules=site.samples.late_schedules(),
        found=len(found),
        words=words,
        sort=sort if sort in _SORTS else None,
        sorts=_SORTS,
        page=page,
        pages=pages,
    )


def page_number(query: Mapping[str, str]) -> int:
    """Return the number of the page that a query asks for, from 1."""
    text = query.get("page", "")
    return (
        max(1, int(text)) if text.isascii() and text.isdigit() and text < "9" * 6 else 1
    )


def _matching(counts: Counts, words: str | None) -> list[TubeView]:
    if words is None:
        return counts.tubes
    return [tube for tube in counts.tubes if words.lower() in tube.name.lower()]


def _sorted(tubes: Sequence[TubeView], sort: str) -> list[TubeView]:
    return sorted(tubes, key=_SORTS.get(sort, _trouble_first))


def _trouble_first(tube: TubeView) -> float:
    return 0 if tube.is_in_trouble else 1
