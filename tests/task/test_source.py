"""Two tasks of one name: one is the other's new version, or another task."""

import asyncio
import functools
import importlib
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jobqueue import DuplicateTaskError, JobQueue, Putter
from jobqueue.testing import eager
from tests.helpers.worker_process import write_module

Way = Callable[[Path], dict[str, Any]]

TASK = """
from jobqueue import JobQueue
queue = JobQueue()
@queue.task("t")
def send():
    return {answer!r}
"""


@pytest.fixture(autouse=True)
def _without_broker() -> Iterator[None]:
    """Run each task at its put."""
    with eager():
        yield


def compiled(path: Path) -> Any:
    return compile(path.read_text(), path, "exec")


def by_exec(path: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compiled(path), names)
    return names


def by_exec_with_its_path(path: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "tasks", "__file__": str(path)}
    exec(compiled(path), names)
    return names


def by_a_module_of_its_own(path: Path) -> dict[str, Any]:
    """Run a file as Streamlit does."""
    module = ModuleType("__main__")
    module.__file__ = str(path)
    before, sys.modules["__main__"] = sys.modules["__main__"], module
    try:
        exec(compiled(path), module.__dict__)
    finally:
        sys.modules["__main__"] = before
    return module.__dict__


def in_one_namespace() -> Way:
    """Run a file as IPython's ``%run -i`` does, and many editors."""
    names: dict[str, Any] = {"__name__": "__main__", "__file__": "notebook.ipynb"}

    def run(path: Path) -> dict[str, Any]:
        exec(compiled(path), names)
        return names

    return run


def by_runpy(path: Path) -> dict[str, Any]:
    return runpy.run_path(str(path))


WAYS: dict[str, Callable[[], Way]] = {
    "exec": lambda: by_exec,
    "exec_with_its_path": lambda: by_exec_with_its_path,
    "a_module_of_its_own": lambda: by_a_module_of_its_own,
    "one_namespace": in_one_namespace,
    "runpy": lambda: by_runpy,
}


@pytest.fixture(params=WAYS)
def run(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]()


def test_file_run_again(run: Way, tmp_path: Path) -> None:
    """A file that runs again, edited or not, has a new version of its task."""
    path = tmp_path / "my_tasks.py"
    path.write_text(TASK.format(answer=1))
    first = run(path)["send"]
    assert run(path)["send"]() == 1

    path.write_text("# one line more\n" + TASK.format(answer=2))

    assert run(path)["send"]() == 2
    first.put()  # an old version is that task still


HELPER = """
from jobqueue import JobQueue
def logged_task(tube): return lambda func: JobQueue.task(tube)(func)
def careless(func): return lambda: func()
def named(func):
    def work(): return func()
    return work
"""


def test_file_with_a_helper_run_again(
    run: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the line that registers nor the function's code need be of the file."""
    monkeypatch.syspath_prepend(tmp_path)
    write_module(tmp_path, "helper_of_files", HELPER)
    path = tmp_path / "my_tasks.py"
    text = (
        "from helper_of_files import *\n"
        "@logged_task('t')\ndef send(): return {answer}\n"
        "@JobQueue.task('u')\n@named\ndef one(): return {answer}\n"
    )
    path.write_text(text.format(answer=1))
    run(path)

    path.write_text("# one line more\n" + text.format(answer=2))
    names = run(path)

    assert (names["send"](), names["one"]()) == (2, 2)
    sys.modules.pop("helper_of_files")


def test_two_tasks_in_a_file_run_again(run: Way, tmp_path: Path) -> None:
    """Two tasks of one name stay an error, however often their file runs."""
    path = tmp_path / "my_tasks.py"
    path.write_text(TASK.format(answer=1))
    run(path)
    path.write_text(TASK.format(answer=1) + "@queue.task('t')\ndef send(): ...\n")

    for _ in range(2):
        with pytest.raises(DuplicateTaskError, match=f"one from {path}:4, one from"):
            run(path)


def test_two_tasks_by_a_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two functions of one file that a helper registers in one line are two tasks."""
    monkeypatch.syspath_prepend(tmp_path)
    write_module(tmp_path, "helper_of_two", HELPER)
    send = "@logged_task('t')\ndef send(): ...\n"
    write_module(
        tmp_path, "two_of_a_helper", f"from helper_of_two import *\n{send}{send}"
    )

    with pytest.raises(DuplicateTaskError, match="named 'send'"):
        importlib.import_module("two_of_a_helper")


LOOPS = {
    "functions": """
def make(n):
    def work(): return n
    return work
tasks = []
for n in range(2):
    tasks.append(queue.task("t")(make(n)))
""",
    "comprehension": """
def make(n):
    def work(): return n
    return work
tasks = [queue.task("t")(make(n)) for n in range(2)]
""",
    "methods": """
class Sync:
    def __init__(self, n): self.n = n
    def work(self): return self.n
tasks = []
for n in range(2):
    tasks.append(queue.task("t")(Sync(n).work))
""",
    "partials": """
import functools
def work(n): return n
tasks = []
for n in range(2):
    part = functools.partial(work, n)
    functools.update_wrapper(part, work)
    tasks.append(queue.task("t")(part))
""",
    "wrappers": """
def careless(func):
    def work(): return func()
    return work
tasks = []
for func in (lambda: 0, lambda: 1):
    tasks.append(queue.task("t")(careless(func)))
""",
    "definitions": """
for n in range(2):
    @queue.task("t")
    def work(n=n): return n
""",
    "generated code": """
for n in range(2):
    exec(f"def work(): return {n}")
    queue.task("t")(work)
""",
}


@pytest.mark.parametrize("loop", LOOPS)
def test_loop_of_a_module(loop: str, tmp_path: Path) -> None:
    """A loop at the top of a module that makes tasks of one name is an error there."""
    path = tmp_path / "my_tasks.py"
    path.write_text(TASK.format(answer=1) + LOOPS[loop])

    with pytest.raises(DuplicateTaskError, match=r"both from .* its own name"):
        runpy.run_path(str(path))


def by_decorating(queue: JobQueue, n: int) -> Putter[[], int]:
    @queue.task("t")
    def work() -> int:
        return n

    return work


class Sync:
    def __init__(self, n: int) -> None:
        self.n = n

    def work(self) -> int:
        return self.n


def by_a_method(queue: JobQueue, n: int) -> Putter[[], int]:
    return queue.task("t")(Sync(n).work)


def by_generated_code(queue: JobQueue, n: int) -> Putter[[], int]:
    names: dict[str, Any] = {}
    exec(f"def work(): return {n}", names)
    task: Putter[[], int] = queue.task("t")(names["work"])
    return task


def by_a_partial(queue: JobQueue, n: int) -> Putter[[], int]:
    def work(n: int) -> int:
        return n

    part = functools.partial(work, n)
    return queue.task("t")(functools.update_wrapper(part, work))


@pytest.mark.parametrize(
    "make", [by_decorating, by_a_method, by_generated_code, by_a_partial]
)
def test_factory_that_runs_again(
    make: Callable[[JobQueue, int], Putter[[], int]],
) -> None:
    """The last task of a factory can be put, those before it no more."""
    queue = JobQueue()
    first, second = make(queue, 1), make(queue, 2)

    assert (first(), second()) == (1, 2)
    assert second.put() == 1
    for put in (first.put, first.options(delay=1).put, lambda: first.put_many([{}])):
        with pytest.raises(DuplicateTaskError, match=r"work\(\) can't be put: .* made"):
            put()


def test_factory_and_aput() -> None:
    queue = JobQueue()
    first, _ = by_decorating(queue, 1), by_decorating(queue, 2)

    for put in (first.aput(), first.aput_many([{}])):
        with pytest.raises(DuplicateTaskError):
            asyncio.run(put)


def test_decorated_again() -> None:
    """One function may be decorated again: whichever task is put, it runs."""
    first = by_decorating(JobQueue(), 1)
    second = JobQueue().task("t")(first.__wrapped__)

    assert first.put() == 1
    assert second.put() == 2


class Prompt:
    """An interactive prompt; each input has a file name of its own, or all have one."""

    def __init__(self, file: str, **names: str) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", **names}
        self._file = file
        self._inputs = 0
        self.enter("from jobqueue import JobQueue")
        self.enter("queue = JobQueue()")

    def enter(self, text: str) -> None:
        file = self._file.format(self._inputs)
        self._inputs += 1
        exec(compile(text, file, "single"), self.names)


PROMPTS = {
    "python": lambda: Prompt("<stdin>"),
    "python 3.13": lambda: Prompt("<python-input-{}>", __file__="/lib/_pyrepl/a.py"),
    "notebook": lambda: Prompt("/tmp/ipykernel_1/{}.py", __file__="a.ipynb"),
    "python -i": lambda: Prompt("<stdin>", __file__="script.py"),
}


@pytest.fixture(params=PROMPTS)
def prompt(request: pytest.FixtureRequest) -> Prompt:
    return PROMPTS[request.param]()


def test_typed_again(prompt: Prompt) -> None:
    """A task may be defined again at any prompt, and its old version still be put."""
    prompt.enter("@queue.task('t')\ndef work(): return 1\n")
    first = prompt.names["work"]
    prompt.enter("def careless(func):\n  def work(): return func()\n  return work\n")

    prompt.enter("@queue.task('t')\ndef work(n=0): return 2\n")
    assert prompt.names["work"]() == 2
    first.put()
    prompt.enter("@queue.task('t')\n@careless\ndef work(): return 3\n")
    assert prompt.names["work"]() == 3


def test_typed_after_a_file(prompt: Prompt, tmp_path: Path) -> None:
    """A file may be tried out at a prompt, and the other way round."""
    path = tmp_path / "my_tasks.py"
    path.write_text(TASK.format(answer=1))
    runpy.run_path(str(path), run_name="__main__")
    prompt.enter("@queue.task('t')\ndef send(): return 2\n")
    runpy.run_path(str(path), run_name="__main__")


def test_typed_loop(prompt: Prompt) -> None:
    """Two tasks of one input are as wrong at a prompt as in a file."""
    prompt.enter("def make(n):\n  def work(): return n\n  return work\n")

    with pytest.raises(DuplicateTaskError):
        prompt.enter("tasks = [queue.task('t')(make(n)) for n in range(2)]")


def test_typed_factory(prompt: Prompt) -> None:
    prompt.enter("def make(n):\n  def work(): return n\n  return work\n")
    prompt.enter("first = queue.task('t')(make(1))")
    prompt.enter("second = queue.task('t')(make(2))")

    assert prompt.names["second"].put() == 1
    with pytest.raises(DuplicateTaskError):
        prompt.names["first"].put()


def test_text_executed_again() -> None:
    """Code without a file may be a new version, or another task: both are taken."""
    text = TASK.format(answer=1)
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    exec(text, first)
    exec("# one line more\n" + text, second)

    assert second["send"].put() == 1
    with pytest.raises(DuplicateTaskError):
        first["send"].put()


def test_two_tasks_in_a_command() -> None:
    """Code that runs at once is no prompt, also without a file."""
    define = "@JobQueue.task('t')\ndef work(): ...\n"

    done = subprocess.run(
        [sys.executable, "-c", "from jobqueue import JobQueue\n" + define + define],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "DuplicateTaskError: two tasks are named 'work'" in done.stderr
