"""The schedules of periodic tasks: when they are due, and who keeps them."""

from starlette.requests import Request
from starlette.responses import Response

from jobqueue.web.site import Site


def schedules(site: Site, request: Request) -> Response:
    """Show all schedules, in the order in which they are due."""
    found = site.operator.schedules()
    return site.renderer.page(request, "schedules.html", schedules=found)
