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
from typing import NamedTuple

from jobqueue.errors import BadJobError, OptionError

RESERVED = "jobqueue-"  # how the names of jobqueue's own headers begin
MAX_AGE = f"{RESERVED}max-age"
NO_MAX_AGE = "none"
MAX_SIZE = 16_384  # bytes in UTF-8: twice the baggage that W3C has for all of a trace

_SECONDS = re.compile(r"[0-9]{1,10}")
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


def read_headers(found: object) -> tuple[dict[str, str], float | None]:
    """Return the headers of a body, and the ``max_age`` that jobqueue's own one says.

    The latter is in seconds; None if the body does not say it, and infinite if the job
    is to have none. Raises :class:`~jobqueue.errors.BadJobError`, which shows no header
    of an application.
    """
    if not isinstance(found, dict):
        raise _bad('"headers" is not an object')
    headers = {n: value for n, value in found.items() if not is_reserved(n)}
    problem = find_problem(headers)
    if problem:
        which = "its headers" if problem.name is None else "a header"
        raise _bad(f"{which} {problem.text}")
    if len(headers) == len(found):
        return headers, None
    if MAX_AGE not in found or len(headers) + 1 < len(found):
        raise BadJobError(
            f'a header whose name begins with "{RESERVED}" is none that this worker '
            "knows: upgrade the workers first"
        )
    return headers, _max_age(found[MAX_AGE])


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
                f"the header {name!r} has a name that is jobqueue's: those that begin "
                f'with "{RESERVED}" are'
            )
    return dict(headers)
