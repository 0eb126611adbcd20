"""Pages of HTTP: which of them a request asks for, and its response.

Only what probes and scrapes need: GET and HEAD, without any of the request's headers.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[^ ?#]*)[^ ]* HTTP/1\.[01]\r?\n")

METRICS = "/metrics"
_READING = {b"GET", b"HEAD"}

OK = 200
UNAVAILABLE = 503
_BAD_REQUEST = 400
_NOT_FOUND = 404
_NOT_ALLOWED = 405
_REASONS = {
    OK: "OK",
    _BAD_REQUEST: "Bad Request",
    _NOT_FOUND: "Not Found",
    _NOT_ALLOWED: "Method Not Allowed",
    UNAVAILABLE: "Service Unavailable",
}


class Response(NamedTuple):
    """The status of a response, and one line of text."""

    status: int
    text: str

    def encode(self, *, is_head: bool = False) -> bytes:
        """Return the bytes to send; the response to a HEAD has no body."""
        body = f"{self.text}\n".encode()
        lines = [
            f"HTTP/1.1 {self.status} {_REASONS[self.status]}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            *(["Allow: GET, HEAD"] if self.status == _NOT_ALLOWED else []),
            "Connection: close",
        ]
        head = "\r\n".join([*lines, "", ""]).encode()
        return head if is_head else head + body


Page = Callable[[], Response]
ScrapePage = Callable[[Sequence[bytes]], Sequence[bytes]]  # whole requests, responses


class Pages:
    """The pages of one port, by their paths.

    ``scrape`` answers requests to ``/metrics``, all that came together at once: that
    may take a while, so these are the slow requests.
    """

    def __init__(
        self, pages: Mapping[str, Page], scrape: ScrapePage | None = None
    ) -> None:
        self._pages = pages
        self._scrape = scrape
        self._paths = [*pages, *([METRICS] if scrape else [])]

    def is_slow(self, request: bytes) -> bool:
        """Return whether the response to a request may take a while."""
        found = _REQUEST_LINE.match(request)
        return (
            self._scrape is not None
            and found is not None
            and found[1] in _READING
            and found[2].decode("latin-1") == METRICS
        )

    def answer(self, requests: Sequence[bytes]) -> Sequence[bytes]:
        """Return the responses to requests that are all slow, or all are not."""
        if self._scrape is not None and requests and self.is_slow(requests[0]):
            return self._scrape(requests)
        return [self._respond(request) for request in requests]

    def _respond(self, request: bytes) -> bytes:
        found = _REQUEST_LINE.match(request)
        if found is None:
            return Response(_BAD_REQUEST, "this is no request of HTTP/1").encode()
        method, path = found[1], found[2].decode("latin-1")
        page = self._pages.get(path)
        if page is None and path not in self._paths:
            response = Response(_NOT_FOUND, f"there are: {', '.join(self._paths)}")
        elif method not in _READING or page is None:
            response = Response(_NOT_ALLOWED, "this answers GET and HEAD")
        else:
            response = page()
        return response.encode(is_head=method == b"HEAD")
