"""app: the page as an ASGI application."""

from collections.abc import Awaitable, Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from jobqueue.broker.address import without_passwords
from jobqueue.errors import BrokerError, JobQueueError
from jobqueue.job_queue import JobQueue
from jobqueue.web.access.middleware import Access
from jobqueue.web.actions.endpoints import act, confirm, give_up, read_form
from jobqueue.web.pages import failures, job, schedules, tube, tubes
from jobqueue.web.settings import WebSettings
from jobqueue.web.site import Site
from jobqueue.web.urls import link_of

Page = Callable[[Site, Request], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
Handler = Callable[[Request, Exception], Awaitable[Response]]

_FOR_EVER = "public, max-age=31536000, immutable"


def app(
    queue: JobQueue,
    *,
    hosts: Iterable[str] = (),
    password: str | None = None,
    behind_proxy: bool = False,
    allow_actions: bool = False,
    hide_arguments: bool = False,
) -> Starlette:
    """Return the page for operators of a queue's broker, as an ASGI application.

    Mount it under any path, behind the login of the application around it. It serves
    this machine alone, unless something asks for a login: the page itself with a
    ``password`` of at least 12 characters, or what is around or in front of it, which
    ``behind_proxy=True`` says.

    - ``hosts``: the names that browsers reach the page by, as in
      ``["ops.example.org"]``; ``localhost`` and this machine's addresses always count.
      ``"*"`` stands for any name, where the application around it checks that.
    - ``allow_actions``: also kick, delete, put, pause and resume. Each is logged by the
      logger ``jobqueue.web``, with who asked for it, and the ids of the jobs.
    - ``hide_arguments``: show no arguments and no bodies of jobs. Errors and tracebacks
      stay, and may quote some.

    Raises :class:`~jobqueue.errors.OptionError`.

    >>> application.mount("/jobs", jobqueue.web.app(queue, behind_proxy=True))
    """
    settings = WebSettings.checked(
        hosts=hosts,
        password=password,
        behind_proxy=behind_proxy,
        allow_actions=allow_actions,
        hide_arguments=hide_arguments,
    )
    site = Site.of(queue.operator, settings)
    application = Starlette(
        routes=_routes(site),
        middleware=[Middleware(Access, settings=settings)],
        exception_handlers=_handlers(site),
    )
    # Starlette would redirect to http:// where a proxy ends TLS.
    application.router.redirect_slashes = False
    application.state.site = site
    return application


def _routes(site: Site) -> list[Route]:
    pages = {
        "/": tubes.tubes,
        "/tube": tube.tube,
        "/failures": failures.failures,
        "/failures/group": failures.group,
        "/schedules": schedules.schedules,
        "/job": job.by_id,
        "/jobs/{job_id}": job.job,
        "/jobs/{job_id}/body": job.body,
        "/confirm": confirm,
    }

    async def change(request: Request) -> Response:
        form = await read_form(request)
        try:
            return await site.calls.run(act, site, request, form)
        except BrokerError:
            return give_up(site, request, form)

    async def no_change(request: Request) -> Response:
        return RedirectResponse(link_of(request)("/"), 303)

    return [
        *(Route(path, _endpoint(site, page)) for path, page in pages.items()),
        *(
            Route(f"{path}/", _to(path))
            for path in pages
            if path.count("/") == 1 < len(path)
        ),
        Route("/act", change, methods=["POST"]),
        Route("/act", no_change, methods=["GET"]),
        *(Route(f"/static/{name}", _file(site, name)) for name in site.renderer.static),
    ]


def _endpoint(site: Site, page: Page) -> Endpoint:
    """Return a page that is made in a thread, as it asks the broker."""

    async def endpoint(request: Request) -> Response:
        return await site.calls.run(page, site, request)

    return endpoint


def _to(path: str) -> Endpoint:
    """Return a redirect from an address that ends with a slash too many."""

    async def endpoint(request: Request) -> Response:
        return RedirectResponse(link_of(request)(path, **request.query_params))

    return endpoint


def _file(site: Site, name: str) -> Endpoint:
    """Return one of the few files that there are: no path is looked up."""
    file = site.renderer.static[name]

    async def endpoint(_request: Request) -> Response:
        headers = {"cache-control": _FOR_EVER}
        return Response(file.content, media_type=file.media_type, headers=headers)

    return endpoint


def _handlers(site: Site) -> dict[type[Exception], Handler]:
    async def away(request: Request, error: Exception) -> Response:
        reason = without_passwords(str(error))
        return site.renderer.page(request, "away.html", 503, reason=reason)

    async def refused(request: Request, error: Exception) -> Response:
        reason = without_passwords(str(error))
        return site.renderer.page(request, "error.html", 400, code=400, reason=reason)

    async def problem(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        reason = error.detail if isinstance(error, HTTPException) else ""
        if reason == "Not Found":  # Starlette's own word for an unknown path
            reason = "There is no such page."
        return site.renderer.page(
            request, "error.html", status, code=status, reason=reason
        )

    return {BrokerError: away, JobQueueError: refused, HTTPException: problem}
