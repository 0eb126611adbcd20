"""Why jobs failed: in groups, and the jobs of one group."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from jobqueue.broker.server_stats import TubeStats
from jobqueue.operating.failures import FailureGroup
from jobqueue.web.actions.plan import group_key
from jobqueue.web.pages.tubes import page_number
from jobqueue.web.site import Site
from jobqueue.web.urls import one

PAGE = 50  # jobs of a group


def failures(site: Site, request: Request) -> Response:
    """Show the groups of all failures, or of those of one tube."""
    counts = site.samples.counts()
    name = one(request.query_params, "tube")
    there = [tube.stats for tube in counts.tubes]
    tubes = [
        tube for tube in (*there, *counts.gone.values()) if name in {None, tube.tube}
    ]
    groups, left = site.failures.groups(tubes)
    return site.renderer.page(
        request,
        "failures.html",
        groups=groups,
        tubes_left=left,
        tube_name=name,
        without_note=0 if left else _without_note(tubes, groups),
    )


def _without_note(tubes: Sequence[TubeStats], groups: Sequence[FailureGroup]) -> int:
    """Return how many buried jobs are in no group: their notes are gone."""
    buried = sum(tube.buried for tube in tubes)
    return max(0, buried - sum(group.buried for group in groups))


def group(site: Site, request: Request) -> Response:
    """Show one group of failures, and its jobs, the last failure first."""
    key = group_key(request.query_params)
    tube = site.samples.counts().failed_in(key.tube)
    view = site.failures.group(tube, key) if tube else None
    if view is None and not one(request.query_params, "change"):
        raise HTTPException(
            404, "No such failure is noted any more: its jobs were kicked or deleted."
        )
    notes = view.notes if view else []
    pages = max(1, -(-len(notes) // PAGE))
    page = min(page_number(request.query_params), pages)
    notes = notes[(page - 1) * PAGE : page * PAGE]
    calls = {}
    if view and not site.settings.hide_arguments:
        calls = site.calls_of_jobs.of(notes, view.jobs)
    return site.renderer.page(
        request,
        "group.html",
        key=key,
        view=view,
        notes=notes,
        calls=calls,
        page=page,
        pages=pages,
    )
