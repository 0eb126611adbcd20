"""Access: what every request passes before a page sees it."""

import logging
import math
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobqueue.safe_text import one_line, shortened
from jobqueue.web.access.hosts import (
    is_host_allowed,
    is_this_machine,
    network_of,
    without_port,
)
from jobqueue.web.access.origins import is_same_origin
from jobqueue.web.access.passwords import Guesses, Password
from jobqueue.web.settings import WebSettings
from jobqueue.web.under_path import with_whole_path

logger = logging.getLogger("jobqueue.web")

# Keys of the scope.
USER = "jobqueue.user"  # who it is; empty if nobody says
CLIENT = "jobqueue.client"  # the address of their machine
_MAX_SHOWN = 100  # characters of a name
_BY_PROXY = (
    ", which may be a proxy: unless the page is started with --behind-proxy, it can't "
    "tell who guesses, and has everybody wait"
)
_SAFE_METHODS = {"GET", "HEAD"}

# No script, style or form of anybody else, even if a page of ours had a hole.
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    # Not no-referrer: with that, browsers say no origin when they send a form.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Access:
    """Refuses what does not come from somebody who may see the page."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings
        self._password = Password(settings.password) if settings.password else None
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        scope = with_whole_path(scope)
        has_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        try:
            await (refusal or self._app)(scope, receive, send_with_headers)
        except Exception:
            logger.exception("A page failed")
            if has_begun:
                raise
            failed = _refused(500, "This page failed: the log says why.")
            await failed(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that is refused; None for any other."""
        headers = Headers(scope=scope)
        client = scope[CLIENT] = self._client_of(scope, headers)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not is_host_allowed(hosts[0], self._settings):
            return _unknown_host(", ".join(hosts))
        if not self._settings.is_open and not is_this_machine(client):
            return _refused(
                403,
                "This page answers its own machine alone. To open it to others, set "
                "$JOBQUEUE_WEB_PASSWORD; or, where a proxy or the application around "
                "it asks for a login, say so: --behind-proxy, or behind_proxy=True.",
            )
        if self._password:
            refusal = self._wrong_password(self._password, scope, headers, client)
            if refusal:
                return refusal
        else:
            scope[USER] = self._user_of_others(scope, headers)
        if scope["method"] not in _SAFE_METHODS and not is_same_origin(headers):
            logger.warning("Refused a change from another site, for %s", client)
            return _refused(403, "A change has to be asked for on the page itself.")
        root = str(scope.get("root_path", ""))
        if scope["path"] == root:  # a relative address: TLS may end at a proxy
            return RedirectResponse(f"{quote(root)}/")
        return None

    def _wrong_password(
        self, password: Password, scope: Scope, headers: Headers, client: str | None
    ) -> Response | None:
        network = network_of(client)
        wait = self._guesses.wait_of(network)
        if wait:
            seconds = math.ceil(wait)
            return _refused(
                429,
                f"Too many wrong passwords: try again in {seconds} s.",
                {"retry-after": str(seconds)},
            )
        header = headers.get("authorization")
        user = password.user_of(header) if header is not None else None
        if user is not None:
            self._guesses.forget(network)
            scope[USER] = user
            return None
        if header is not None:
            self._guesses.add(network)
            is_by_proxy = "x-forwarded-for" in headers
            hint = "" if self._settings.behind_proxy or not is_by_proxy else _BY_PROXY
            logger.warning("Wrong password from %s%s", client, hint)
        challenge = 'Basic realm="jobqueue", charset="UTF-8"'
        return _refused(
            401, "This page needs its password.", {"www-authenticate": challenge}
        )

    def _client_of(self, scope: Scope, headers: Headers) -> str | None:
        """Return the address that asks; None on a Unix socket.

        A proxy adds it at the end of a list that anybody may have begun.
        """
        forwarded = headers.getlist("x-forwarded-for")
        if self._settings.behind_proxy and forwarded:
            return without_port(forwarded[-1].rpartition(",")[2])
        return scope["client"][0] if scope.get("client") else None

    def _user_of_others(self, scope: Scope, headers: Headers) -> str:
        """Return who it is, as the application around or a proxy says."""
        user = scope.get("user")
        if getattr(user, "is_authenticated", False):
            return str(getattr(user, "display_name", user))
        if not self._settings.behind_proxy:
            return ""
        return headers.get("x-forwarded-user") or headers.get("remote-user") or ""


def _unknown_host(name: str) -> Response:
    shown = one_line(shortened(name, _MAX_SHOWN))
    return _refused(
        400,
        f"This page does not answer to the name {shown!r}. If that is its own, start "
        "it with --allow-host NAME, or give app() the name in hosts=[...].",
    )


def _refused(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{text}\n", status, headers)
