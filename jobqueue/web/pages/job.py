"""One job: its call, what has happened to it, and why it failed."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.operating.formatting import pretty
from jobqueue.operating.record import JobRecord
from jobqueue.safe_text import MAX_TRACEBACK, shortened
from jobqueue.web.rendering import MAX_TEXT, is_refresh
from jobqueue.web.site import Site
from jobqueue.web.urls import link_of, one
from jobqueue.web.wording import put_command

_MAX_COMMAND = 4_000  # characters
_MAX_DIGITS = len(str(MAX_JOB_ID))


def job(site: Site, request: Request) -> Response:
    """Show a job, or what is noted of one that is gone."""
    job_id = _id(request)
    record = site.operator.job(job_id)
    notes = []
    if not is_refresh(request):
        notes = site.operator.notes_about(job_id).noted
    is_asked_for = is_refresh(request) or site.changes.get(
        request.query_params.get("change")
    )
    if record is None and not notes and not is_asked_for:
        raise HTTPException(
            404, f"There is no job {job_id}: it was done or deleted, or never existed."
        )
    hidden = site.settings.hide_arguments
    body = record.body if record else next((n.body for _, n in notes if n.body), None)
    text = None if body is None or hidden else pretty(body)
    return site.renderer.page(
        request,
        "job.html",
        job_id=job_id,
        job=record,
        notes=[note for _, note in reversed(notes)],
        size=None if body is None else len(body),
        body=None if text is None else shortened(text, MAX_TEXT),
        is_cut=text is not None and len(text) > MAX_TEXT,
        command=None if record is None or hidden else _command(record),
        longest=MAX_TRACEBACK,
    )


def by_id(_site: Site, request: Request) -> Response:
    """Lead to the job whose id somebody typed, as from a log."""
    text = (one(request.query_params, "id") or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise HTTPException(404, "A job's id is a whole number.")
    return RedirectResponse(link_of(request)(f"/jobs/{text}"), 303)


def body(site: Site, request: Request) -> Response:
    """Return the body of a job as a file: as it is, for a program to read."""
    job_id = _id(request)
    if site.settings.hide_arguments:
        raise HTTPException(403, "Arguments are hidden here.")
    record = site.operator.job(job_id)
    if record is None:
        raise HTTPException(404, f"There is no job {job_id} any more.")
    return Response(
        record.body,
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="job-{job_id}"'},
    )


def _id(request: Request) -> int:
    text: str = request.path_params["job_id"]
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    if is_number and 1 <= int(text) <= MAX_JOB_ID:
        return int(text)
    raise HTTPException(404, "No job has such an id.")


def _command(record: JobRecord) -> str | None:
    command = put_command(record)
    return command if command and len(command) <= _MAX_COMMAND else None
