"""The errors, from their classes and docstrings."""

from collections.abc import Iterator

from jobqueue import errors
from tests.docs.reference.markdown import code, from_rst, link_to_error, paragraphs

ERRORS = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, BaseException)
]


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
