"""A tube: its counts, and its jobs by state, a page at a time."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from jobqueue.broker.stats import JobState
from jobqueue.errors import OptionError
from jobqueue.job.names import is_name
from jobqueue.job.note import FailureNote
from jobqueue.operating.paging import JobPage
from jobqueue.operating.record import JobRecord
from jobqueue.web.looked import ALL, Looked
from jobqueue.web.rendering import is_refresh
from jobqueue.web.samples import TubeView
from jobqueue.web.site import Site
from jobqueue.web.urls import link_of, one

PAGE = 50  # jobs
_LOOK_FOR = 1.0  # seconds for the first page
_LOOK_ON_FOR = 3.0  # for each that is asked for then, which ends as soon as it is full


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
    change = site.changes.get(query.get("change"))
    if view is None and change is not None:
        # Its last jobs were deleted, and the tube is gone with them.
        there = link_of(request)("/", change=change.token)
        return RedirectResponse(there, 303)
    if view is None:
        raise HTTPException(
            404,
            "There is no such tube: a tube exists only while it has jobs, or while a "
            "client uses or watches it.",
        )
    looked = _looked(query, view)
    rest = one(query, "rest")
    is_changing = change is not None and change.is_under_way
    found = wrong = None
    if not (is_refresh(request) or is_changing):
        try:
            found = _found(site, view, looked, rest)
        except HTTPException as error:
            if error.status_code != HTTPStatus.BAD_REQUEST:
                raise
            wrong = error.detail
        except OptionError as error:
            wrong = str(error)
    return site.renderer.page(
        request,
        "tube.html",
        status=400 if wrong else 200,
        tube=view,
        next_ready=site.samples.next_ready([view.name] if view.stats.ready else []),
        looked=looked,
        rest=rest,
        found=found,
        wrong=wrong,
        is_changing=is_changing,
        functions=_functions(found) if found else [],
        states=list(JobState),
    )


def _functions(found: Found) -> list[str]:
    """Return the functions of the jobs shown, for the form that puts one."""
    names = {job.func_name for job in found.jobs}
    names |= {note.func_name for note in found.failures.values()}
    return sorted(name for name in names if is_name(name))


def _looked(query: Mapping[str, str], view: TubeView) -> Looked:
    """Return what is looked for; without a state, buried jobs, if there are any."""
    return Looked.of(query, JobState.BURIED if view.stats.buried else ALL)


def _found(site: Site, view: TubeView, looked: Looked, rest: str | None) -> Found:
    """Search for a page of jobs.

    Raises HTTPException and OptionError for what can't be looked for.
    """
    least_age = looked.least_age
    page = site.operator.page(
        view.name,
        *([] if looked.state == ALL else [looked.state]),
        rest=rest,
        limit=PAGE,
        seconds=_LOOK_FOR if rest is None else _LOOK_ON_FOR,
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
