"""What JSON can carry of the arguments of a job, and what is wrong with the rest."""

import builtins
import math
from collections.abc import Iterator, Mapping

from jobqueue.broker.checks import plain_number
from jobqueue.errors import ArgumentError


def with_plain_numbers(value: object) -> object:
    """Return a value with each number in it, of any class, as an int or a float.

    ``json`` knows no numbers but those of Python: not numpy's, for one.
    """
    if isinstance(value, list | tuple):
        return [with_plain_numbers(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key): with_plain_numbers(item) for key, item in value.items()}
    return _plain(value)


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    number = plain_number(value)
    return value if number is None else number


def check_keys(func_name: str, kwargs: Mapping[str, object]) -> None:
    """Raise ArgumentError if a dict in the arguments has two keys that are one in JSON.

    JSON has no keys but strings: of 1 and "1", only one item would arrive.
    """
    for name, value in kwargs.items():
        problem = next(_keys_that_are_one(name, value), None)
        if problem:
            raise ArgumentError(f"{func_name}() can't be put: {problem}")


def _keys_that_are_one(path: str, value: object) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if isinstance(item, list | tuple | dict):
                yield from _keys_that_are_one(f"{path}[{index}]", item)
    elif isinstance(value, dict):
        keys: dict[str, object] = {}
        for key, item in value.items():
            text = _key_in_json(key)
            if text in keys:
                yield (
                    f"{path} has the keys {keys[text]!r} and {key!r}, which JSON makes "
                    f'one: "{text}". Let them be strings that differ'
                )
            keys[text] = key
            if isinstance(item, list | tuple | dict):
                yield from _keys_that_are_one(f"{path}[{key!r}]", item)


def _key_in_json(key: object) -> str:
    match key:
        case None:
            return "null"
        case bool():
            return "true" if key else "false"
        case str():
            return str.__str__(key)
        case int():
            return int.__repr__(key)
        case float():
            return float.__repr__(key)
        case _:
            raise TypeError(f"JSON takes no key of type {type(key).__name__}")


def explain(func_name: str, kwargs: Mapping[str, object], error: Exception) -> str:
    """Return which argument made encoding fail, and why."""
    for name, value in kwargs.items():
        try:
            problem = next(_problems(name, value), None)
        except RecursionError:
            problem = f"{name} is nested too deeply, or contains itself"
        except Exception as raised:  # noqa: BLE001 - a value's own code may raise anything
            problem = f"{name} raises {type(raised).__name__} when looked at"
        if problem:
            return f"{func_name}() can't be put: {problem}, which JSON can't carry"
    return f"{func_name}() can't be put: {error}"


def _problems(path: str, value: object) -> Iterator[str]:
    """Yield each part of a value that JSON can't carry, with the path to it."""
    match _plain(value):
        case None | bool():
            pass
        case int() | float() | str() as scalar:
            yield from _scalar_problems(path, scalar)
        case list() | tuple() as items:
            for index, item in enumerate(items):
                yield from _problems(f"{path}[{index}]", item)
        case dict() as items:
            yield from _dict_problems(path, items)
        case _:
            yield f"{path} is a {_name(type(value))}"


def _scalar_problems(path: str, value: float | str) -> Iterator[str]:
    try:
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, float):
            if not math.isfinite(value):
                yield f"{path} is {value}"
        else:
            int.__repr__(value)  # see sys.set_int_max_str_digits
    except UnicodeEncodeError:
        yield f"{path} is a str with a lone surrogate"
    except ValueError:
        yield f"{path} is an int of too many digits"


def _dict_problems(path: str, items: Mapping[object, object]) -> Iterator[str]:
    for key, value in items.items():
        if isinstance(_plain(key), str | int | float | None):
            yield from _problems(f"the key {key!r} of {path}", key)
        else:
            yield f"{path} has a key of type {_name(type(key))}"
        yield from _problems(f"{path}[{key!r}]", value)


def _name(kind: type) -> str:
    """Return the name of a class, such as set, or numpy.bool."""
    is_foreign = hasattr(builtins, kind.__qualname__) and kind.__module__ != "builtins"
    return f"{kind.__module__}.{kind.__qualname__}" if is_foreign else kind.__qualname__
