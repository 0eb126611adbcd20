"""The arguments of the command web."""

from collections.abc import Callable
from typing import Any

from jobqueue.command_line import whole_number_from

_PORT = 8080
_number = whole_number_from(0)


def add_web(add: Callable[..., Any]) -> None:
    """Add where the page is served, to whom, and what it may do."""
    add("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    add(
        "--port",
        type=_number,
        default=_PORT,
        metavar="N",
        help="the port to listen on (default: %(default)s)",
    )
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that browsers reach the page by; repeatable",
    )
    add(
        "--behind-proxy",
        action="store_true",
        help="a proxy asks for a login, and names the user (X-Forwarded-User, -For)",
    )
    add(
        "--root-path",
        default="",
        metavar="PATH",
        help="the path that a proxy serves the page under, such as /jobs",
    )
    add("--allow-actions", action="store_true", help="also change jobs and tubes")
    add("--hide-arguments", action="store_true", help="show no arguments of jobs")
