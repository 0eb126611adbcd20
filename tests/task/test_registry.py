"""The decorator and the registry: what can be a task, and which task counts."""

import functools
import importlib
import inspect
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobqueue import (
    BrokerURLError,
    DuplicateTaskError,
    JobQueue,
    Putter,
    TaskDefinitionError,
    TubeNameError,
)
from jobqueue.task.registry import subscriber
from tests.helpers.worker_process import write_module

TASK_MODULE = """
from jobqueue import JobQueue
queue = JobQueue()
@queue.task("t")
def task_one(arg1): ...
"""


def test_task_looks_like_its_function(queue: JobQueue) -> None:
    """A task keeps the name, docstring, module and signature of its function."""

    @queue.task("t")
    def task_one(arg1: str, arg2: int = 2) -> str:
        """Do one thing."""
        return f"{arg1}{arg2}"

    assert isinstance(task_one, Putter)
    assert task_one.__name__ == "task_one"
    assert task_one.__doc__ == "Do one thing."
    assert task_one.__module__ == __name__
    assert str(inspect.signature(task_one)) == "(arg1: str, arg2: int = 2) -> str"
    assert repr(task_one) == "<task task_one in tube t>"
    assert task_one("a") == "a2"


def test_found_by_tube_and_name(queue: JobQueue) -> None:
    @queue.task("t")
    def task_one() -> None: ...

    @JobQueue.task("u")
    def task_two() -> None: ...

    one, two = subscriber.find("t", "task_one"), subscriber.find("u", "task_two")

    assert one
    assert one.func is task_one.__wrapped__
    assert two
    assert two.func is task_two.__wrapped__
    assert subscriber.find("u", "task_one") is None
    assert subscriber.find("v", "task_one") is None
    assert subscriber.tubes() == ["t", "u"]


def test_default_queue() -> None:
    """Tasks that the class decorates share the default queue."""

    @JobQueue.task("t")
    def one() -> None: ...

    @JobQueue.task("t")
    def two() -> None: ...

    assert one._pool is two._pool is JobQueue.default()._pool


def test_signature_of_the_decorator() -> None:
    """help() shows all options of the decorator, on the class and on a queue."""
    expected = ["tube", "name", "delay", "at", "priority", "ttr", "retries", "retry_on"]
    expected += ["backoff", "max_kicks", "max_lost", "time_limit", "max_age"]
    expected += ["every", "cron", "tz", "late", "pile_up"]

    assert expected == list(inspect.signature(JobQueue.task).parameters)
    assert expected == list(inspect.signature(JobQueue().task).parameters)


def test_one_name_in_two_tubes(queue: JobQueue) -> None:
    def define(tube: str) -> Putter[[], int]:
        def task_one() -> int:
            return len(tube)

        return queue.task(tube)(task_one)

    assert define("t")() == 1
    assert define("tt")() == 2


def test_duplicate_name(queue: JobQueue) -> None:
    """Two functions of one name are refused, and the error says where both are."""

    # two of a name
    @queue.task("t")
    def task_one() -> None: ...

    with pytest.raises(DuplicateTaskError) as raised:

        @queue.task("t")
        def task_one() -> None: ...

    here = Path(__file__).resolve()
    lines = here.read_text().splitlines()
    first = lines.index("    # two of a name") + 2
    assert f"from {here}:{first}, one from {here}:{first + 5}" in str(raised.value)


def test_duplicate_by_wrapper(queue: JobQueue) -> None:
    """Functions that a wrapper gives one name are told apart."""

    def careless(func: Callable[[], int]) -> Callable[[], int]:
        def wrapper() -> int:
            return func()

        return wrapper

    @queue.task("t")
    @careless
    def one() -> int:
        return 1

    with pytest.raises(DuplicateTaskError):

        @queue.task("t")
        @careless
        def two() -> int:
            return 2


def test_duplicate_by_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that a helper registers in one line are told apart."""
    helper = (
        "from jobqueue import JobQueue\n"
        "def logged_task(tube): return lambda f: JobQueue.task(tube)(f)\n"
    )
    user = "from helper import logged_task\n@logged_task('h')\ndef send(): ...\n"
    monkeypatch.syspath_prepend(tmp_path)
    write_module(tmp_path, "helper", helper)
    write_module(tmp_path, "user_a", user)
    write_module(tmp_path, "user_b", user)
    importlib.import_module("user_a")

    with pytest.raises(DuplicateTaskError):
        importlib.import_module("user_b")


def test_factory(queue: JobQueue) -> None:
    """A factory may define its tasks again: the last definition counts."""

    def create_app(result: int) -> Putter[[], int]:
        @queue.task("t")
        def task_one() -> int:
            return result

        return task_one

    create_app(1)
    create_app(2)

    task = subscriber.find("t", "task_one")
    assert task
    assert task.func() == 2


def test_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module may be reloaded, edited or not."""
    monkeypatch.syspath_prepend(tmp_path)
    write_module(tmp_path, "reloaded_tasks", TASK_MODULE)
    module = importlib.import_module("reloaded_tasks")
    importlib.reload(module)

    write_module(tmp_path, "reloaded_tasks", "# a line more\n" + TASK_MODULE)
    importlib.reload(module)

    task = subscriber.find("t", "task_one")
    assert task
    assert task.func is module.task_one.__wrapped__
    assert task.location.line == 5


def test_script_imported_by_name(tmp_path: Path) -> None:
    """A script may run as __main__ and be imported by its name as well."""
    write_module(tmp_path, "script", TASK_MODULE + "import script\nprint('fine')\n")

    for command in (["script.py"], ["-m", "script"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.splitlines()[-1:] == ["fine"], done.stderr


def test_script_with_a_duplicate(tmp_path: Path) -> None:
    """A script that defines two tasks of one name is refused."""
    again = TASK_MODULE.partition("queue = JobQueue()\n")[2]
    write_module(tmp_path, "script", TASK_MODULE + again)

    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "DuplicateTaskError: two tasks are named 'task_one'" in done.stderr


def test_prompt() -> None:
    """A function may be defined again at the interactive prompt."""
    define = "@JobQueue.task('t')\ndef f(): return {}\n\n"
    session = (
        "from jobqueue import JobQueue\n"
        + define.format(1)
        + define.format(2)
        + "print('f is', f())\n"
    )

    done = subprocess.run(
        [sys.executable, "-i", "-"],
        input=session,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "f is 2" in done.stdout, done.stderr


@pytest.mark.parametrize("tube", ["", "-x", "a b", "t\r\ndelete 1"])
def test_wrong_tube(tube: str) -> None:
    with pytest.raises(TubeNameError):
        JobQueue.task(tube)


def positional_only(x: int, /) -> None: ...


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


class Class:
    def method(self) -> None: ...

    @staticmethod
    def static(a: int) -> int:
        return a


@pytest.mark.parametrize(
    "func",
    [
        Class,
        Class.method,
        lambda: None,
        positional_only,
        generator,
        async_generator,
        functools.partial(print, 1),
        "task_one",
        None,
    ],
)
def test_not_a_task(func: Any) -> None:
    """What can't be a task is refused when it is decorated."""
    with pytest.raises(TaskDefinitionError, match="can't be a task"):
        JobQueue.task("t")(func)

    assert subscriber.tasks(["t"]) == []


def test_method_of_another_kind() -> None:
    """A decorator of a class below the task's is named in the error."""
    task = JobQueue.task("t")
    wrong: list[Any] = [classmethod, property, functools.cached_property]
    for decorator in wrong:
        with pytest.raises(
            TaskDefinitionError,
            match=rf"^Class.method can't be a task: it is a {decorator.__name__}",
        ):
            task(decorator(Class.method))
    with pytest.raises(TaskDefinitionError, match="it is a method of Class"):
        property(task(Class.method))


def test_static_method() -> None:
    JobQueue.task("t")(Class.static)

    assert subscriber.find("t", "static")


@pytest.mark.parametrize("decorator", [JobQueue.task, JobQueue().task])
def test_decorator_without_tube(decorator: Any) -> None:
    """A decorator without its tube says what is missing."""
    with pytest.raises(TaskDefinitionError, match=r'@queue.task\("emails"\)'):
        decorator(print)
    with pytest.raises(TubeNameError):
        decorator(5)


@JobQueue.task("pickled")
def pickled(a: int) -> int:
    return a + 1


def test_pickling() -> None:
    assert pickle.loads(pickle.dumps(pickled)) is pickled


def test_wrong_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong URL is refused at once, and one of the environment at the first put."""
    with pytest.raises(BrokerURLError):
        JobQueue("localhost")

    monkeypatch.setenv("BEANSTALKD_URL", "localhost")
    with JobQueue() as queue:

        @queue.task("t")
        def task_one() -> None: ...

        with pytest.raises(BrokerURLError):
            task_one.put()
