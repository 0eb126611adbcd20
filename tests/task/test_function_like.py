"""A task is a function for everyone who looks."""

import asyncio
import copy
import doctest
import functools
import importlib
import inspect
import pickle
import pydoc
import sys
import typing
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from jobqueue import ArgumentError, JobQueue, Putter
from jobqueue.testing import eager
from tests.helpers.worker_process import write_module

TASKS = '''"""Tasks."""
import functools
from jobqueue import JobQueue

queue = JobQueue()

def plain(a: int) -> int:
    """Plain doc."""

@queue.task("t", priority=7)
def send(to: str, times: int = {times}) -> int:
    """Send doc.

    >>> send("ada")
    {times}
    """
    return times

@queue.task("t")
async def fetch(url: str) -> str:
    """Fetch doc."""
    return url

urgent = send.options(priority=1)
'''


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Return a module with tasks."""
    monkeypatch.syspath_prepend(tmp_path)
    write_module(tmp_path, "tasks_to_look_at", TASKS.format(times=1))
    yield importlib.import_module("tasks_to_look_at")
    del sys.modules["tasks_to_look_at"]


async def coroutine(a: int) -> int:
    return a


class AsyncClass:
    __name__ = "work"

    async def __call__(self) -> None: ...

    async def method(self) -> None: ...


def as_a_wrapper(func: Callable[..., Awaitable[int]]) -> Callable[..., Any]:
    @functools.wraps(func)
    def inner(*args: Any) -> Any:
        return func(*args)

    return inner


WAYS_TO_ASK: list[Callable[[Any], bool]] = [inspect.iscoroutinefunction]
if sys.version_info < (3, 14):  # where it is deprecated
    WAYS_TO_ASK.append(asyncio.iscoroutinefunction)


@pytest.mark.parametrize(
    "func",
    [
        coroutine,
        functools.update_wrapper(functools.partial(coroutine, 1), coroutine),
        as_a_wrapper(coroutine),
        AsyncClass().method,
        AsyncClass(),
        print,
        functools.cache(inspect.unwrap),
    ],
)
def test_is_async(func: Callable[..., Any]) -> None:
    """A task has to be awaited if its function has, by each way of asking."""
    queue = JobQueue()
    task = queue.task("t")(func)

    for other in (task, task.options(delay=1), queue.task("u")(task)):
        for asked in WAYS_TO_ASK:
            assert asked(other) is asked(func)
            assert asked(other.__call__) is asked(func)


def test_help(tasks: ModuleType) -> None:
    """help() shows a task as a function: of its own, and in its module."""
    text = pydoc.plain(pydoc.render_doc(tasks))
    functions = text[text.index("FUNCTIONS") : text.index("DATA")]

    assert "send(to: str, times: int = 1) -> int\n        Send doc." in functions
    assert "async fetch(url: str) -> str" in functions
    assert "send(to: str, times: int = 1) -> int" in pydoc.plain(
        pydoc.render_doc(tasks.send)
    )


def test_documentation_tools(tasks: ModuleType) -> None:
    """They look for routines with a docstring: Sphinx's automodule, for one."""
    assert [name for name, _ in inspect.getmembers(tasks, inspect.isroutine)] == [
        "fetch",
        "plain",
        "send",
        "urgent",
    ]
    assert not any(map(inspect.isdatadescriptor, (tasks.send, tasks.fetch)))


def test_doctest(tasks: ModuleType) -> None:
    assert doctest.testmod(tasks) == (0, 2)  # of send and urgent


def test_where_it_is(tasks: ModuleType) -> None:
    assert inspect.getsource(tasks.send).startswith('@queue.task("t", priority=7)\n')
    assert tasks.send.__code__.co_firstlineno == 10
    assert tasks.send.__globals__ is vars(tasks)
    assert tasks.send.__defaults__ == (1,)
    assert typing.get_type_hints(tasks.fetch) == {"url": str, "return": str}


def test_autospec(tasks: ModuleType) -> None:
    """A mock of a task checks calls, and is awaited if the task is."""
    send, fetch = map(mock.create_autospec, (tasks.send, tasks.fetch))
    send.put.return_value = 5

    assert send.put(to="ada") == 5
    send("ada", times=2)
    with pytest.raises(TypeError):
        send("ada", subject="Hello")
    with pytest.raises(TypeError):
        send.options(countdown=1)
    with pytest.raises(AttributeError):
        send.delay("ada")
    assert inspect.iscoroutinefunction(fetch)


def test_attributes_of_the_function() -> None:
    """A task has its function's attributes, and no less of its own."""

    def work(a: int = 1) -> int:
        return a

    names: Any = work
    names.put = names.options = names._task = names._call = names._body = (
        "the function's"
    )
    names.help = "the function's"
    task: Any = JobQueue().task("t")(work)

    with eager():
        assert task.put() == 1
        assert task.options(delay=1).put(a=2) == 2
    assert (task.help, task.__wrapped__.put) == ("the function's", "the function's")
    assert task() == 1
    assert repr(task) == "<task work in tube t>"


def test_wrapped_by_others(tasks: ModuleType) -> None:
    """functools.wraps copies nothing but what the function itself has."""

    @functools.wraps(tasks.send)
    def wrapper(*args: Any) -> Any:
        return tasks.send(*args) + 1

    assert all(name.startswith("__") for name in vars(wrapper))
    assert wrapper.__wrapped__ is tasks.send
    assert wrapper.__name__ == "send"
    assert str(inspect.signature(wrapper)) == "(to: str, times: int = 1) -> int"
    assert wrapper("ada") == 2


def test_in_a_class() -> None:
    """A task that is a class's attribute is bound to no object."""

    class Mails:
        @JobQueue.task("t")
        @staticmethod
        def send(a: int) -> int:
            return a

    assert Mails.send(1) == Mails().send(2) - 1 == 1
    assert Mails().send is Mails.send
    with eager():
        assert Mails().send.put(a=1) == 1


PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pickling(tasks: ModuleType, protocol: int) -> None:
    """A task is pickled by its name, and a copy as that with its options."""
    later = tasks.send.options(delay=60, ttr=5).options(priority=3)
    task, other, urgent = pickle.loads(
        pickle.dumps((tasks.send, later, tasks.urgent), protocol)
    )

    assert task is tasks.send
    assert type(other) is type(urgent) is Putter
    assert other._options.put == later._options.put == (60, None, 3, 5)
    assert urgent._options.put.priority == 1
    assert other("ada") == 1


def test_copying(tasks: ModuleType) -> None:
    later = tasks.send.options(delay=60)

    assert copy.copy(tasks.send) is copy.deepcopy(tasks.send) is tasks.send
    for other in (copy.copy(later), copy.deepcopy(later)):
        assert other._options == later._options


def test_reload(tasks: ModuleType) -> None:
    """After a reload the task that others have imported has the new code.

    IPython's %autoreload has it so for functions.
    """
    send = tasks.send
    text = TASKS.format(times=1).replace("times: int", "a: int = 0, *, times: int")
    path = Path(str(tasks.__file__))
    write_module(
        path.parent, path.stem, text.replace("times: int = 1", "times: int = 2")
    )

    importlib.reload(tasks)

    assert tasks.send is not send
    assert send("ada", 1) == tasks.send("ada", 1) == 2
    assert inspect.signature(send) == inspect.signature(tasks.send)
    with eager():
        send.put("ada", a=1)
        with pytest.raises(ArgumentError, match=r"arguments are send\(to: str, a: int"):
            send.put(b=1)


def test_run_again_is_no_reload() -> None:
    """Elsewhere an old version stays what it is, as a function does."""
    queue = JobQueue()
    names: dict[str, Any] = {"__name__": "__main__", "queue": queue}
    text = "@queue.task('t')\ndef work(): return {}\n"
    exec(compile(text.format(1), "<stdin>", "single"), names)
    work = names["work"]

    exec(compile(text.format(2), "<stdin>", "single"), names)

    assert (work(), names["work"]()) == (1, 2)
