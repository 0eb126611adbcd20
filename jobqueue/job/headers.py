"""Headers: strings that travel with a job beside its arguments, such as trace context.

A body has them as an object under a fourth key, and lacks the key if there are none.
Their names are those that HTTP takes (RFC 9110, 5.6.2), so that a request's headers
can be passed on as they are, and so that no name spoils a line of a log.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jobqueue.errors import OptionError

RESERVED = "jobqueue-"  # how the names of jobqueue's own headers begin
MAX_SIZE = 16_384  # bytes in UTF-8: twice the baggage that W3C has for all of a trace

_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")


class NewJob(NamedTuple):
    """A job that is about to be put, as the hooks of ``before_put`` see it.

    ``kwargs`` are its arguments by name, to be looked at; ``headers`` is a dict of
    strings, which a hook may add to.
    """

    func_name: str
    tube: str
    kwargs: Mapping[str, object]
    headers: dict[str, str]


BeforePut = Callable[[NewJob], object]


class Problem(NamedTuple):
    """What is wrong with a header, in words that go on from its name."""

    name: object  # None: it is about all headers together
    text: str


def find_problem(headers: Mapping[object, object]) -> Problem | None:
    """Return the first thing that is wrong with headers, if anything is."""
    size = 0
    for name, value in headers.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            return Problem(name, "has a name that is none in HTTP, like request-id")
        if not isinstance(value, str):
            return Problem(name, f"is of type {type(value).__name__}, not a string")
        try:
            size += len(name) + len(value.encode())
        except UnicodeEncodeError:
            return Problem(name, "has a lone surrogate, which no UTF-8 has")
    if size > MAX_SIZE:
        return Problem(None, f"have {size} bytes in all: {MAX_SIZE} are the most")
    return None


def problem_in_body(headers: object) -> str | None:
    """Return what is wrong with the headers of a body, without showing any of them."""
    if not isinstance(headers, dict):
        return '"headers" is not an object'
    problem = find_problem(headers)
    if problem is None:
        return None
    return f"{'its headers' if problem.name is None else 'a header'} {problem.text}"


def check_headers(headers: object) -> dict[str, str]:
    """Return a copy of the headers that an application gives to its jobs.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    if not isinstance(headers, Mapping):
        raise OptionError(f"headers have to be a dict of strings, not {headers!r}")
    problem = find_problem(headers)
    if problem:
        which = "headers" if problem.name is None else f"the header {problem.name!r}"
        raise OptionError(f"{which} {problem.text}")
    for name in headers:
        if name.lower().startswith(RESERVED):
            raise OptionError(
                f"the header {name!r} has a name that is jobqueue's: those that begin "
                f'with "{RESERVED}" are'
            )
    return dict(headers)
