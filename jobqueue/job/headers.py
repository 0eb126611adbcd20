"""Headers: strings that travel with a job beside its arguments, such as trace context.

A body has them as an object under a fourth key, and lacks the key if there are none.
Their names are those that HTTP takes (RFC 9110, 5.6.2), so that a request's headers
can be passed on as they are, and so that no name spoils a line of a log.

What jobqueue itself has to say with a single job is a header, too, under a name that no
application can give. So the keys of a body stay few, a program in any language can say
it, and a worker that does not know it buries the job instead of ignoring it.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from jobqueue.errors import BadJobError, OptionError

RESERVED = "jobqueue-"  # how the names of jobqueue's own headers begin
MAX_AGE = f"{RESERVED}max-age"
NO_MAX_AGE = "none"
DUE = f"{RESERVED}due"  # when a periodic task's job was due, in whole Unix seconds
MAX_SIZE = 16_384  # bytes in UTF-8: twice the baggage that W3C has for all of a trace

_OWN = {MAX_AGE, DUE}
_SECONDS = re.compile(r"[0-9]{1,10}")
_BAD_NAME = "has a name that HTTP does not take: use letters, digits and -, no spaces"
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
            return Problem(name, _BAD_NAME)
        if not isinstance(value, str):
            return Problem(name, f"is of type {type(value).__name__}, not a string")
        try:
            size += len(name) + len(value.encode())
        except UnicodeEncodeError:
            return Problem(name, "has a lone surrogate, which no UTF-8 has")
    if size > MAX_SIZE:
        return Problem(None, f"have {size} bytes in all: {MAX_SIZE} are the most")
    return None


class ReadHeaders(NamedTuple):
    """The headers of a body: those of the application, and what jobqueue's own say."""

    headers: dict[str, str]
    max_age: float | None = None  # seconds; infinite: the job is to have none
    due: datetime | None = None  # in UTC; of a periodic task's job


def read_headers(found: object) -> ReadHeaders:
    """Return the headers of a body.

    Raises :class:`~jobqueue.errors.BadJobError`, which shows no header of an
    application.
    """
    if not isinstance(found, dict):
        raise _bad('"headers" is not an object')
    headers = {n: value for n, value in found.items() if not is_reserved(n)}
    problem = find_problem(headers)
    if problem:
        which = "its headers" if problem.name is None else "a header"
        raise _bad(f"{which} {problem.text}")
    if len(headers) == len(found):
        return ReadHeaders(headers)
    own = found.keys() - headers.keys()
    if not own <= _OWN:
        raise BadJobError(
            f'a header whose name begins with "{RESERVED}" is none that this worker '
            "knows: upgrade the workers first"
        )
    return ReadHeaders(
        headers,
        _max_age(found[MAX_AGE]) if MAX_AGE in own else None,
        _due(found[DUE]) if DUE in own else None,
    )


def is_reserved(name: str) -> bool:
    """Return whether a name is one of jobqueue's own headers."""
    return name[: len(RESERVED)].lower() == RESERVED


def _max_age(value: object) -> float:
    if value == NO_MAX_AGE:
        return math.inf
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        return int(value)
    raise BadJobError(
        f'the header "{MAX_AGE}" has to be a string with a whole number of seconds, or '
        f'"{NO_MAX_AGE}"'
    )


def _due(value: object) -> datetime:
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        return datetime.fromtimestamp(int(value), UTC)
    raise BadJobError(
        f'the header "{DUE}" has to be a string with a Unix time in whole seconds'
    )


def _bad(problem: str) -> BadJobError:
    return BadJobError(f'{problem}: expected "headers" to be a JSON object of strings')


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
        if is_reserved(name):
            raise OptionError(
                f"the header {name!r} can't be set: names that begin with "
                f'"{RESERVED}" are those of jobqueue itself'
            )
    return dict(headers)
