"""Recognising clients that speak another protocol than beanstalkd's.

A loopback address keeps out other machines, but not the browser of this one: any web
page can have it send a request here. beanstalkd takes the request's head for unknown
commands, and runs the commands that the page has written into the body. So the
development server closes the connection at the first line, as Redis does.
"""

import re

_METHODS = rb"(?:CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PRI|PUT|TRACE)"
_REQUEST_LINE = re.compile(rb"[!-~]+ .+ HTTP/\d(?:\.\d)?", re.DOTALL)
# The first header of a request, for one whose method and path are out of the ordinary.
_HOST_HEADER = re.compile(rb"host:", re.IGNORECASE)
# A path can be made so long that its line ends beyond the buffer.
_START_OF_REQUEST = re.compile(_METHODS + rb" |[!-~]+ (?:/|https?:)[^ ]* HTTP/")
_START_OF_TLS = b"\x16\x03"  # a handshake: a page can have its own text in that, too


def protocol_of(line: bytes) -> str | None:
    """Return the protocol of a whole line; None if it may be a command."""
    if _REQUEST_LINE.fullmatch(line) or _HOST_HEADER.match(line):
        return "HTTP"
    return _protocol_of_bytes(line)


def protocol_of_start(data: bytes) -> str | None:
    """Return the protocol of a line that is too long, from its start; None as above."""
    return "HTTP" if _START_OF_REQUEST.match(data) else _protocol_of_bytes(data)


def _protocol_of_bytes(data: bytes) -> str | None:
    return "TLS" if data.startswith(_START_OF_TLS) else None
