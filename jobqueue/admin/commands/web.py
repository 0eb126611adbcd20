"""The command web: the page for operators, until a signal ends it."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.session import Session

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PASSWORD = "JOBQUEUE_WEB_PASSWORD"  # noqa: S105 - the name of a variable
_HTTP_PORT = 80
_MAX_PORT = 2**16 - 1
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - all addresses
_MOST_REQUESTS = 200  # at the same time; silent connections don't count
_GRACE = 5  # seconds for requests at the end


def web(session: Session) -> int:
    """Serve the page."""
    try:
        import jobqueue.web  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise CommandError(str(error)) from None
    import uvicorn  # noqa: PLC0415 - of the same extra

    from jobqueue.web.connections import PromptHttp  # noqa: PLC0415 - an extra

    options = session.options
    with _listening(options.host, options.port) as listening, _page(session) as page:
        if not (_is_local(listening) or _password() or options.behind_proxy):
            raise UsageError(
                f"other machines can reach {options.host}: set ${PASSWORD}; or, if a "
                "proxy asks for a login, give --behind-proxy"
            )
        config = uvicorn.Config(
            page,
            http=PromptHttp,
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            proxy_headers=False,  # the page reads them itself
            server_header=False,
            lifespan="off",
            ws="none",
            limit_concurrency=_MOST_REQUESTS,
            timeout_graceful_shutdown=_GRACE,
        )
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
        )
        session.console.note(_welcome(session, listening))
        uvicorn.Server(config).run(sockets=[listening])
    return 0


@contextmanager
def _page(session: Session) -> Iterator["ASGIApp"]:
    """Yield the page as the command line wants it."""
    from jobqueue.job_queue import JobQueue  # noqa: PLC0415 - no other command needs it
    from jobqueue.web import app  # noqa: PLC0415 - an extra
    from jobqueue.web.under_path import UnderPath  # noqa: PLC0415 - an extra

    options = session.options
    with JobQueue(options.url) as queue:
        page = app(
            queue,
            hosts=options.allow_host,
            password=_password(),
            behind_proxy=options.behind_proxy,
            allow_actions=options.allow_actions,
            hide_arguments=options.hide_arguments,
        )
        yield UnderPath(page, options.root_path)


def _password() -> str | None:
    return os.environ.get(PASSWORD) or None


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens. Raises CommandError."""
    if port > _MAX_PORT:
        raise UsageError(f"the port has to be a number up to {_MAX_PORT}")
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CommandError(f"can't listen on {host}, port {port}: {reason}") from None
    with listening:
        yield listening


def _is_local(listening: socket.socket) -> bool:
    host: str = listening.getsockname()[0]
    return host == "::1" or host.startswith("127.")


def _welcome(session: Session, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    loopback = _LOOPBACK.get(host)
    shown = loopback or (f"[{host}]" if ":" in host else host)
    path = session.options.root_path.strip("/")
    place = f"http://{shown}{'' if port == _HTTP_PORT else f':{port}'}/{path}"
    if loopback:
        place += ", and at each other address of this machine,"
    acts = "shows and changes" if session.options.allow_actions else "shows"
    return f"{place} {acts} the jobs of {session.address}. Ctrl-C ends it"
