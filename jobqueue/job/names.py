"""Names of tasks, as bodies of jobs have them."""

from collections.abc import Iterable
from typing import TypeGuard

from jobqueue.errors import OptionError


def is_name(name: object) -> TypeGuard[str]:
    """Return whether a task can have a name: identifiers, perhaps with dots between."""
    return isinstance(name, str) and all(map(str.isidentifier, name.split(".")))


def check_names(given: object) -> tuple[str, ...]:
    """Return the names that a task is given: one, or several.

    Raises :class:`~jobqueue.errors.OptionError`.
    """
    if isinstance(given, set | frozenset):
        raise OptionError(
            f"name is a {type(given).__name__}, which has no order, and the first name "
            "is the one that is put: give a list"
        )
    names: list[str] = []
    for name in _each(given):
        if not is_name(name):
            raise OptionError(
                "name has to be an identifier, or several with dots between them "
                f"(emails.send), or a list of such names, not {name!r}"
            )
        if name in names:
            raise OptionError(f"name has {name!r} twice")
        names.append(str.__str__(name))  # of an Enum's member: its value
    if not names:
        raise OptionError("name is empty: leave it out, and the function's counts")
    return tuple(names)


def _each(given: object) -> Iterable[object]:
    if isinstance(given, Iterable) and not isinstance(given, str):
        return given
    return [given]
