"""put takes what a call of a wrapper takes, and refuses what the call refuses."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from jobqueue import ArgumentError, JobQueue, TaskDefinitionError
from jobqueue.testing import eager

Func = Callable[..., Any]

THING = "a thing"


def passing_on(func: Func) -> Func:
    @functools.wraps(func)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return inner


def passing_on_by_name(func: Func) -> Func:
    @functools.wraps(func)
    def inner(**kwargs: Any) -> Any:
        return func(**kwargs)

    return inner


def injecting(func: Func) -> Func:
    @functools.wraps(func)
    def inner(a: int, b: int = 2) -> Any:
        return func("session", a, b)

    return inner


def injecting_and_passing_on(func: Func) -> Func:
    @functools.wraps(func)
    def inner(a: int, **kwargs: Any) -> Any:
        return func("session", a, **kwargs)

    return inner


def adding(func: Func) -> Func:
    @functools.wraps(func)
    def inner(*args: Any, dry_run: bool = False, **kwargs: Any) -> Any:
        return None if dry_run else func(*args, **kwargs)

    return inner


def looking_at_the_first(func: Func) -> Func:
    @functools.wraps(func)
    def inner(a: int, *args: Any, **kwargs: Any) -> Any:
        return func(a, *args, **kwargs)

    return inner


class Class:
    """A decorator that is a class."""

    def __init__(self, func: Func) -> None:
        functools.update_wrapper(self, func)
        self._func = func

    def __call__(self, a: int, *, times: int = 1) -> Any:
        return [self._func(a) for _ in range(times)]


@contextmanager
def managing() -> Iterator[None]:
    yield


def described(func: Func) -> Func:
    """Say what a wrapper takes, as the libraries of wrappers do."""

    @functools.wraps(func)
    def inner(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop("trace", None)
        return func(*args, **kwargs)

    trace = inspect.Parameter("trace", inspect.Parameter.KEYWORD_ONLY, default=None)
    signature = inspect.signature(func)
    inner.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), trace]
    )
    return inner


def task_one(a: int, b: int = 2) -> None: ...


def with_session(session: str, a: int, b: int = 2) -> None:
    assert (session, a + b > 0) == ("session", True)


def with_mock(thing: object, a: int, b: int = 2) -> None:
    assert (isinstance(thing, mock.Mock), a + b > 0) == (True, True)


def with_two_mocks(thing: object, a: int, *, other: object) -> None:
    assert a == 1
    assert isinstance(thing, mock.Mock)
    assert isinstance(other, mock.Mock)


class Owner:
    def method(self, a: int, b: int = 2) -> None: ...

    @passing_on
    def wrapped(self, a: int, b: int = 2) -> None: ...


def part(func: Func, *args: Any, **kwargs: Any) -> Func:
    return functools.update_wrapper(functools.partial(func, *args, **kwargs), func)


PLAIN: list[dict[str, Any]] = [{"a": 1}, {"a": 1, "b": 2}]
WRONG: list[dict[str, Any]] = [{}, {"b": 2}, {"a": 1, "x": 1}]
SESSION = {"session": 1, "a": 1}


@pytest.mark.parametrize(
    ("func", "taken", "refused"),
    [
        (task_one, PLAIN, WRONG),
        (passing_on(task_one), PLAIN, WRONG),
        (passing_on(passing_on(task_one)), PLAIN, WRONG),
        (passing_on_by_name(task_one), PLAIN, WRONG),
        (managing()(task_one), PLAIN, WRONG),
        (functools.cache(task_one), PLAIN, WRONG),
        (functools.singledispatch(task_one), [], [{"x": 1}]),
        (looking_at_the_first(task_one), PLAIN, WRONG),
        (injecting(with_session), PLAIN, [*WRONG, SESSION]),
        (passing_on(injecting(with_session)), PLAIN, [*WRONG, SESSION]),
        (injecting(passing_on(with_session)), PLAIN, [*WRONG, SESSION]),
        (injecting_and_passing_on(with_session), PLAIN, [{}, {"b": 2}]),
        (adding(task_one), [*PLAIN, {"a": 1, "dry_run": True}], WRONG),
        (adding(injecting(with_session)), [*PLAIN, {"a": 1, "dry_run": True}], WRONG),
        (Class(task_one), [{"a": 1}, {"a": 1, "times": 2}], [{}, {"a": 1, "b": 2}]),
        (passing_on(Class(task_one)), [{"a": 1, "times": 2}], [{"a": 1, "b": 2}]),
        (described(task_one), [*PLAIN, {"a": 1, "trace": 1}], WRONG),
        (passing_on(described(task_one)), [{"a": 1, "trace": 1}], WRONG),
        (injecting(described(with_session)), PLAIN, [*WRONG, {"a": 1, "trace": 1}]),
        (part(with_session, "session"), PLAIN, [*WRONG, SESSION]),
        (part(passing_on(with_session), "session"), PLAIN, [*WRONG, SESSION]),
        (part(part(with_session, "session"), b=3), PLAIN, [*WRONG, SESSION]),
        (passing_on(part(with_session, "session")), PLAIN, [*WRONG, SESSION]),
        (part(injecting(with_session), b=3), PLAIN, [*WRONG, SESSION]),
        (Owner().method, PLAIN, [*WRONG, {"self": 1, "a": 1}]),
        (Owner().wrapped, PLAIN, [*WRONG, {"self": 1, "a": 1}]),
        (mock.patch(f"{__name__}.THING")(with_mock), PLAIN, WRONG),
        (mock.patch(f"{__name__}.THING", 5)(task_one), PLAIN, WRONG),
        (
            mock.patch.multiple(__name__, other=mock.DEFAULT, create=True)(
                mock.patch(f"{__name__}.THING")(with_two_mocks)
            ),
            [{"a": 1}],
            [{}, {"a": 1, "thing": 1}],
        ),
    ],
)
def test_put_takes_what_a_call_takes(
    func: Func, taken: list[dict[str, Any]], refused: list[dict[str, Any]]
) -> None:
    task = JobQueue().task("t")(func)
    with eager():
        for kwargs in taken:
            task(**kwargs)
            task.put(**kwargs)
        for kwargs in refused:
            with pytest.raises(TypeError):
                task(**kwargs)
            with pytest.raises(ArgumentError):
                task.put(**kwargs)


@pytest.mark.parametrize(
    "func",
    [passing_on(task_one), adding(task_one), looking_at_the_first(task_one), task_one],
)
def test_positional_arguments(func: Func) -> None:
    """Positional arguments get the names of the function that gets them."""
    task = JobQueue().task("t")(func)

    with eager():
        task.put(1)
        task.put(1, 2)
        with pytest.raises(ArgumentError, match="too many positional arguments"):
            task.put(1, 2, 3)


def test_by_name_only() -> None:
    task = JobQueue().task("t")(passing_on_by_name(task_one))

    with pytest.raises(ArgumentError, match=r"task_one\(\*, a: int, b: int = 2\)"):
        task.put(1)


def test_method_of_a_class_behind_a_wrapper() -> None:
    with pytest.raises(TaskDefinitionError, match="it is a method of Owner"):
        JobQueue().task("t")(Owner.wrapped)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="annotations are made at once")
def test_annotation_for_type_checkers_only() -> None:
    """The name of an annotation need not exist when the program runs."""
    names: dict[str, Any] = {"queue": JobQueue()}
    exec("@queue.task('t')\ndef work(a: NotImported) -> NotImported: ...", names)

    with eager(), pytest.raises(ArgumentError, match=r"work\(a: .*NotImported"):
        names["work"].put()
