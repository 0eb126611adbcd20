"""The errors, from their classes and docstrings."""

from collections.abc import Iterator

from jobqueue import errors
from tests.docs.reference.markdown import (
    code,
    from_rst,
    link_to_error,
    paragraphs,
    table,
)

ERRORS = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, BaseException)
]


# Where one meets them.
PLACES: dict[str, list[type[BaseException]]] = {
    "when a module is imported": [
        errors.TaskDefinitionError,
        errors.DuplicateTaskError,
        errors.OptionError,
        errors.TubeNameError,
        errors.BrokerURLError,
    ],
    "at a put": [
        errors.ArgumentError,
        errors.JobTooBigError,
        errors.OptionError,
        errors.PutManyError,
    ],
    "at a put, or in an operator's call: the broker": [
        errors.BrokerError,
        errors.BrokerUnreachableError,
        errors.BrokerTimeoutError,
        errors.ConnectionLostError,
        errors.BrokerDrainingError,
        errors.BrokerOutOfMemoryError,
    ],
    "in an operator's call": [errors.IncompleteSearchError],
    "in a task": [
        errors.TimeLimitExceeded,
        errors.NoCurrentJobError,
        errors.ReservationLostError,
    ],
    "in the log and in `jobqueue failures`": [
        errors.BadJobError,
        errors.SignatureError,
        errors.CrashLoopError,
        errors.TimeLimitExceeded,
    ],
    "from `Worker(...)` and `Worker.run`": [
        errors.UnknownTubeError,
        errors.JobStuckError,
    ],
    "in a test": [errors.EndlessJobsError],
}


def places() -> str:
    """Return a table of where one meets which errors."""
    placed = {error for found in PLACES.values() for error in found}
    if missing := {*ERRORS} - placed - {errors.JobQueueError}:
        raise LookupError(f"say in {__file__} where one meets {missing}")
    rows = [
        [place, ", ".join(link_to_error(error.__name__) for error in found)]
        for place, found in PLACES.items()
    ]
    return table(["where you meet it", "errors"], rows)


def sections() -> str:
    """Return a section for each error, after that of the one that it is a kind of."""
    kinds = [*_tree(errors.JobQueueError), errors.TimeLimitExceeded]
    return "\n".join(map(_section, kinds))


def _tree(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for other in ERRORS:
        if other.__bases__[0] is kind:
            yield from _tree(other)


def _section(error: type[BaseException]) -> str:
    bases = " and ".join(map(_base, error.__bases__))
    parts = [f"## {error.__name__}", f"A kind of {bases}.", *paragraphs(error)]
    return "\n\n".join(map(from_rst, parts)) + "\n"


def _base(kind: type) -> str:
    name = kind.__name__
    return link_to_error(name) if kind in ERRORS else code(name)
