"""The two addresses that changes have: one asks whether to, and one does it.

There are no cookies: what came of a change is at an address that nobody can guess.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from jobqueue.errors import JobQueueError
from jobqueue.web.access.middleware import CLIENT, USER
from jobqueue.web.actions import found, many, single
from jobqueue.web.actions.changes import Back, Change, new_token
from jobqueue.web.actions.plan import Asked, Form, Plan, group_key, group_query
from jobqueue.web.rendering import MAX_TEXT
from jobqueue.web.site import Site
from jobqueue.web.urls import link_of

_MAX_FORM = 2**20  # bytes
_MAX_FIELDS = 50
_CARRIED = {"once", "broker", "uptime", "ids", "most"}  # from a question to its answer

_PLANS: Mapping[str, Callable[[Asked], Plan]] = {
    "kick-group": many.kick_group,
    "delete-group": many.delete_group,
    "put-group": many.put_group,
    "kick-tube": many.kick_tube,
    "clear-tube": many.clear_tube,
    "kick-found": found.kick_found,
    "delete-found": found.delete_found,
    "kick-job": single.kick_job,
    "delete-job": single.delete_job,
    "put-job-again": single.put_job_again,
    "pause": single.pause,
    "resume": single.resume,
    "put": single.put,
    "run-schedule": single.run_schedule,
    "delete-schedule": single.delete_schedule,
}


def confirm(site: Site, request: Request) -> Response:
    """Say what a change would do, and ask whether to."""
    if request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        raise HTTPException(403, "A change has to be asked for on the page itself.")
    query = request.query_params
    form = {name: value for name, value in query.items() if name not in _CARRIED}
    broker = _broker_now(site)
    plan = _planned(site, request, form)
    if plan.is_quick:  # no page of ours asks first, so a foreign link has led here
        raise HTTPException(404, "Ask for this on the page of what it changes.")
    return site.renderer.page(
        request,
        "confirm.html",
        plan=plan,
        form={**form, **broker, **plan.counted},
        has_jobs=plan.change.total != 0,
        back=link_of(request)(plan.back.path, **plan.back.query),
    )


def act(site: Site, request: Request, form: Form) -> Response:
    """Make a change, and go back to the page that it was asked for on.

    A form that is sent twice, as by a double tap, makes its change once.
    """
    token = _token_of(form)
    if known := site.changes.get(token):
        return _back_from(request, known)
    _check_broker(site, form)
    try:
        plan = _planned(site, request, form)
    except HTTPException as error:
        if form.get("do") != "put" or error.status_code != HTTPStatus.BAD_REQUEST:
            raise
        return _to_correct(site, request, form, error.detail)
    change = plan.change
    change.token, change.back = token, plan.back
    if not site.changes.begin(change):
        return _back_from(request, site.changes.get(token) or change)
    if plan.is_quick or change.total == 1:
        try:
            site.changes.make(change, plan.steps)
        except JobQueueError as error:
            if form.get("do") != "put":
                raise
            return _to_correct(site, request, form, str(error))
    elif not site.changes.start(change, plan.steps):
        raise HTTPException(429, "Some changes still run: try again in a while.")
    return _back_from(request, change)


def _to_correct(site: Site, request: Request, form: Form, problem: str) -> Response:
    """Go back to a form that somebody has typed into, to correct it there."""
    if sum(map(len, form.values())) > MAX_TEXT:  # forms are remembered for a while
        raise HTTPException(HTTPStatus.BAD_REQUEST, problem)
    change = Change("Putting", "Put", who(request), token=_token_of(form), form=form)
    change.problem, change.is_over = problem.rstrip("."), True
    change.back = _page_of(form)
    site.changes.begin(change)
    return _back_from(request, change, "#put")


def give_up(site: Site, request: Request, form: Form) -> Response:
    """Go back without an answer of the broker, to a page that says so.

    The answer to a form is never a page: a browser that loads that page again sends
    the form again.
    """
    token = _token_of(form)
    change = Change("Changing", "Changed", who(request), token=token)
    change.back = _page_of(form)
    site.changes.give_up(change)
    return _back_from(request, site.changes.get(token) or change)


def _back_from(request: Request, change: Change, at: str = "") -> Response:
    query = {**change.back.query, "change": change.token}
    there = link_of(request)(change.back.path, **query)
    return RedirectResponse(f"{there}{at}", 303)


def _page_of(form: Form) -> Back:
    """Return the page that a form is on, without asking the broker."""
    job_id = form.get("id", "")
    if "error" in form and "tube" in form:
        return Back("/failures/group", group_query(group_key(form)))
    if form.get("tube"):
        return Back("/tube", {"name": form["tube"]})
    if job_id.isascii() and job_id.isdigit():
        return Back(f"/jobs/{job_id}", {})
    return Back("/schedules" if "name" in form else "/", {})


def _token_of(form: Form) -> str:
    """Return the token of the change that a form asks for: the same for the same.

    Each form of a page has a random value, so nobody else knows the token.
    """
    content = json.dumps(sorted(form.items()))
    return hashlib.sha256(content.encode()).hexdigest()[:24]


async def read_form(request: Request) -> Form:
    """Return the fields of a form that was sent. Raises HTTPException.

    A form without a value of its own, which no page of ours sends, gets one.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0]
    if content_type.strip().lower() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "This takes the forms of the page alone.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM:
            raise HTTPException(413, "The form is larger than a megabyte.")
    try:
        fields = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise HTTPException(400, "The form can't be read.") from None
    return {"once": new_token(), **dict(fields)}


def _broker_now(site: Site) -> dict[str, str]:
    """Return what tells one run of a broker from the next."""
    server = site.operator.server()
    name = f"{server.hostname}/{server.pid}"
    return {"broker": name, "uptime": str(server.uptime)}


def _check_broker(site: Site, form: Form) -> None:
    """Refuse the answer to a question about the jobs of a broker that is gone.

    Without a binlog, ids begin anew: its jobs, and those of today, may share them.
    """
    if "broker" not in form:
        return
    asked = Asked(site, form, "")
    now = _broker_now(site)
    if form["broker"] != now["broker"] or asked.number("uptime") > int(now["uptime"]):
        raise HTTPException(
            409, "The broker was started anew since you were asked: look again."
        )


def _planned(site: Site, request: Request, form: Form) -> Plan:
    if not site.settings.allow_actions:
        raise HTTPException(
            403, "This page only shows. Started with --allow-actions, it acts, too."
        )
    plan = _PLANS.get(form.get("do", ""))
    if plan is None:
        raise HTTPException(400, "There is no such action.")
    return plan(Asked(site, form, who(request)))


def who(request: Request) -> str:
    """Return who asks, for the log: a name, if one is known, and an address."""
    client = request.scope.get(CLIENT) or "this machine"
    name = request.scope.get(USER)
    return f"{name} ({client})" if name else client
