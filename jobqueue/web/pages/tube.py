"""A tube: its counts, and its jobs by state, a page at a time."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from jobqueue.broker.stats import JobState
from jobqueue.job.note import FailureNote
from jobqueue.operating.paging import JobPage
from jobqueue.operating.record import JobRecord
from jobqueue.web.looked import ALL, Looked
from jobqueue.web.rendering import is_refresh
from jobqueue.web.samples import TubeView
from jobqueue.web.site import Site
from jobqueue.web.urls import link_of, one

PAGE = 50  # jobs
_LOOK_FOR = 1.0  # seconds for a page


class Found(NamedTuple):
    """A page of jobs, and the last failure of each that has one."""

    page: JobPage
    jobs: Sequence[JobRecord]
    failures: Mapping[int, FailureNote]


def tube(site: Site, request: Request) -> Response:
    """Show a tube. What our script refreshes is its counts, and never its jobs."""
    query = request.query_params
    name = one(query, "name")
    view = site.samples.counts().tube(name) if name else None
    if view is None and site.changes.get(query.get("change")):
        # Its last jobs were deleted, and the tube is gone with them.
        there = link_of(request)("/", change=query["change"])
        return RedirectResponse(there, 303)
    if view is None:
        raise HTTPException(
            404,
            "There is no such tube: a tube exists only while it has jobs, or while a "
            "client uses or watches it.",
        )
    looked = _looked(query, view)
    rest = one(query, "rest")
    return site.renderer.page(
        request,
        "tube.html",
        tube=view,
        looked=looked,
        rest=rest,
        found=None if is_refresh(request) else _found(site, view, looked, rest),
        states=list(JobState),
    )


def _looked(query: Mapping[str, str], view: TubeView) -> Looked:
    """Return what is looked for; without a state, buried jobs, if there are any."""
    return Looked.of(query, JobState.BURIED if view.stats.buried else ALL)


def _found(site: Site, view: TubeView, looked: Looked, rest: str | None) -> Found:
    """Search for a page of jobs. Raises HTTPException for a query that can't be."""
    least_age = looked.least_age
    page = site.operator.page(
        view.name,
        *([] if looked.state == ALL else [looked.state]),
        rest=rest,
        limit=PAGE,
        seconds=_LOOK_FOR,
        **looked.filters(site.settings)._asdict(),
    )
    jobs = [job for job in page.jobs if job.stats.age >= least_age]
    return Found(page, jobs, _last_failures(site, view, jobs))


def _last_failures(
    site: Site, view: TubeView, jobs: Sequence[JobRecord]
) -> Mapping[int, FailureNote]:
    if not any(job.stats.buries or job.stats.releases for job in jobs):
        return {}
    return site.failures.of(view.stats).last_of_jobs()
