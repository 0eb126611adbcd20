"""The errors in an exception group."""

from collections.abc import Iterator


def errors_in(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, or if it is a group, all that are in it and in its subgroups.

    Runs no code of the errors' own classes, however deep the groups are nested.
    """
    left = [error]
    while left:
        found = left.pop()
        if issubclass(type(found), BaseExceptionGroup):
            exceptions = BaseExceptionGroup.__dict__["exceptions"].__get__(found)
            left.extend(reversed(exceptions))
        else:
            yield found
