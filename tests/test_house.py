"""The house: what may import what, how large things are, and what an import does."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import jobqueue

PACKAGE = Path(jobqueue.__file__).parent

# Each room with the rooms that it may import from, itself aside. A room is a package,
# or a module that stands alone; a module belongs to the longest name that fits.
TEXT = {"safe_text", "standard_streams"}
BROKER = {*TEXT, "errors", "broker"}
JOB = {*BROKER, "job"}
SCHEDULE = {*JOB, "schedule"}
TASK = {*SCHEDULE, "task"}
OPERATING = {*SCHEDULE, "operating"}
QUEUE = {*TASK, *OPERATING, "job_queue"}
BASE = {
    "worker.exits",
    "worker.forks",
    "worker.patched",
    "worker.settings",
    "worker.threads",
}
RUNNING = {*TASK, *BASE, "worker.running"}
REPORTING = {*RUNNING, "worker.reporting"}
PROCESSES = {*REPORTING, "worker.processes"} - {"worker.running"}
SCHEDULES = {*REPORTING, "worker.schedules"}
SLOTS = {*REPORTING, "worker.processes", "worker.slots"}
WORKER = {*SLOTS, *SCHEDULES, "worker"}
WEB = {*QUEUE, "web"}
ADMIN = {*TASK, *OPERATING, "", "app_modules", "command_line", "admin"}
EVERYTHING = {*QUEUE, *WORKER, *ADMIN, "devserver", "testing", "pytest_plugin", "web"}
MAY_IMPORT: Mapping[str, set[str]] = {
    "": set(QUEUE | WORKER),  # the package itself: the public names
    "__main__": {*ADMIN, *WORKER, "devserver"},
    "errors": set(),
    "app_modules": {"errors", "safe_text"},
    "broker": BROKER,
    "job": JOB,
    "schedule": SCHEDULE,
    "task": TASK,
    "operating": OPERATING,
    "job_queue": QUEUE,
    "safe_text": set(),
    "standard_streams": TEXT,
    "command_line": {*TEXT, "broker"},
    "worker.exits": {"errors", "worker.threads"},
    "worker.forks": set(),
    "worker.patched": TASK,
    "worker.settings": TASK,
    "worker.threads": {"errors"},
    "worker.running": RUNNING,
    "worker.reporting": REPORTING,
    "worker.processes": PROCESSES,
    "worker.schedules": SCHEDULES,
    "worker.slots": SLOTS,
    "worker": {*WORKER, "", "app_modules", "command_line"},
    "admin": {*ADMIN, "web", "job_queue"},
    "web": WEB,
    "devserver": {*TEXT, "devserver"},
    "testing": EVERYTHING,
    "pytest_plugin": EVERYTHING,
}

# What talks to the broker; who runs a job knows none of it.
CONNECTIONS = {
    "broker.connection",
    "broker.consuming",
    "broker.loop_consuming",
    "broker.operating",
    "broker.producing",
    "broker.pool",
}

LONGEST_FILE = 300  # lines
LONGEST_FUNCTION = 45  # lines, without its docstring

# What may be larger: a module, or module:function; and why.
LARGER: Mapping[str, str] = {}

# What prints, or makes what is printed. Its text goes through safe_text.
PRINTING = {
    "safe_text",
    "standard_streams",
    "admin.cli",  # says how to show what an encoding lacks
    "admin.screen.console",
    "job.body",  # its JSON goes to the broker
    "job.note",  # the same
    "schedule.tick",  # the same
    "worker.exits",  # flushes
    "worker.reporting.log_format",
    "worker.reporting.written_log",  # looks which handlers there are
}

# What may come from outside of the standard library, and who may use it.
OUTSIDE = {
    "broker": {"greenstalk"},
    "pytest_plugin": {"pytest"},
    "schedule": {"cronsim"},
    "worker.metrics": {"prometheus_client"},
    "worker.reloading": {"watchfiles"},
    "worker.reporting.metrics_server": {"prometheus_client"},
    "admin.screen.rich_output": {"rich"},
    "admin.commands.web": {"starlette", "uvicorn"},
    "web": {"jinja2", "starlette"},
    "web.connections": {"uvicorn"},
}

# What is still to be mended; each goes with the change that mends it.
UNFINISHED: set[str] = set()

House = Mapping[str, str]  # each module's source, by its name within the package


def sources(folder: Path) -> House:
    return {name_of(path, folder): path.read_text() for path in folder.rglob("*.py")}


def name_of(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


HOUSE: House = sources(PACKAGE)
TESTS: House = sources(Path(__file__).parent)


@functools.cache
def nodes_of(source: str) -> list[ast.AST]:
    """Return all nodes. Most rules look at them all, and most sources stay the same."""
    return list(ast.walk(ast.parse(source)))


def imported_by(source: str) -> Iterator[str]:
    """Yield each module that is imported: lazily and for type checking too."""
    for node in nodes_of(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise AssertionError(f"a relative import of {node.module}")
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                is_module = name.removeprefix("jobqueue.") in HOUSE
                yield name if is_module else str(node.module)


@functools.cache
def own_imports(source: str) -> set[str]:
    """Return the modules of jobqueue that are imported, by their name within it."""
    return {
        name.removeprefix("jobqueue").removeprefix(".")
        for name in imported_by(source)
        if name.partition(".")[0] == "jobqueue"
    }


def room_of(module: str, rooms: Iterable[str]) -> str:
    """Return the room that a module is in: the longest name that fits."""
    fits = (room for room in rooms if room in {"", module} or within(module, room))
    return max(fits, key=len)


def within(module: str, room: str) -> bool:
    return module.startswith(f"{room}.")


def wrong_imports(house: House) -> list[str]:
    """Return each import that goes up, or sideways into a room that is closed."""
    return [
        f"{module} imports {imported}"
        for module, source in sorted(house.items())
        for imported in sorted(own_imports(source))
        if room_of(imported, MAY_IMPORT)
        not in {*MAY_IMPORT[room_of(module, MAY_IMPORT)], room_of(module, MAY_IMPORT)}
    ]


def reached(house: House, start: str) -> set[str]:
    """Return all modules that are imported by one, and by those, and so on."""
    found: set[str] = set()
    left = [start]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += own_imports(house[module])
    return found


def connections_reached_by_running(house: House) -> list[str]:
    """Return the ways from where a job is run to what talks to the broker."""
    return [
        f"{module} reaches {connection}"
        for module in sorted(house)
        if room_of(module, MAY_IMPORT) == "worker.running"
        for connection in sorted(CONNECTIONS & reached(house, module))
    ]


NEW_IN_PYTHON = {"annotationlib"}  # 3.14: modules that an older Python does not list


def foreign_imports(house: House) -> list[str]:
    """Return each import of another distribution by a module that may not have it."""
    return [
        f"{module} imports {imported}"
        for module, source in sorted(house.items())
        for imported in sorted({name.partition(".")[0] for name in imported_by(source)})
        if imported not in {*sys.stdlib_module_names, *NEW_IN_PYTHON, "jobqueue"}
        and imported not in OUTSIDE.get(room_of(module, ["", *OUTSIDE]), set())
    ]


def unsafe_output(house: House) -> list[str]:
    """Return what may print text that did not go through safe_text."""
    found = []
    for module, source in sorted(house.items()):
        if room_of(module, ["", *PRINTING]) in PRINTING:
            continue
        for node in nodes_of(source):
            match node:
                case ast.Attribute(value=ast.Name("sys"), attr="stdout" | "stderr"):
                    found.append(f"{module}:{node.attr}")
                case ast.Call(func=ast.Name("print")):
                    found.append(f"{module}:print")
                case ast.Attribute(attr="StreamHandler" | "Formatter" | "JSONEncoder"):
                    found.append(f"{module}:{node.attr}")
    return found


def large(house: House) -> list[str]:
    """Return the files and functions that do not fit a reader's head."""
    found = []
    for module, source in sorted(house.items()):
        if len(source.splitlines()) > LONGEST_FILE:
            found.append(module)
        found += [
            f"{module}:{node.name}"
            for node in nodes_of(source)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and lines_of(node) > LONGEST_FUNCTION
        ]
    return found


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return a function's length without its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    docstring = ast.get_docstring(function, clean=False)
    return lines if docstring is None else lines - len(docstring.splitlines())


def too_large(house: House) -> list[str]:
    """Return those that have no excuse."""
    return [name for name in large(house) if name not in LARGER]


def shared_names(house: House) -> list[str]:
    """Return the names of classes that stand for two things."""
    places: dict[str, list[str]] = {}
    for module, source in sorted(house.items()):
        for node in nodes_of(source):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module)
    return [f"{name}: {found}" for name, found in places.items() if len(found) > 1]


def imported_tests(tests: House) -> list[str]:
    """Return each test module that is imported, be it in a script within a string."""
    imports = re.compile(
        r"^ *(?:from|import) +tests\b[^()\n]*(?:\([^)]*\))?", re.MULTILINE
    )
    return [
        f"{module} imports {imported}"
        for module, source in sorted(tests.items())
        for statement in imports.findall(source)
        for imported in re.findall(r"\btest_\w+", statement)
    ]


Rule = Callable[[House], list[str]]
RULES: Mapping[Rule, House] = {
    wrong_imports: HOUSE,
    connections_reached_by_running: HOUSE,
    foreign_imports: HOUSE,
    unsafe_output: HOUSE,
    too_large: HOUSE,
    shared_names: HOUSE,
    imported_tests: TESTS,
}


@pytest.mark.parametrize("rule", RULES)
def test_rules(rule: Rule) -> None:
    assert [fault for fault in rule(RULES[rule]) if fault not in UNFINISHED] == []


def test_exceptions_are_few() -> None:
    functions = {name for name in LARGER if ":" in name}

    assert LARGER.keys() <= set(large(HOUSE))
    assert len(functions) <= 3
    assert len(LARGER.keys() - functions) <= 3


SMALL_CLASS = "\n\nclass Slot: ..."
LONG_FUNCTION = "\n\ndef long():\n" + "    pass\n" * LONGEST_FUNCTION


@pytest.mark.parametrize(
    ("rule", "module", "addition"),
    [
        (wrong_imports, "broker.wire", "from jobqueue.job.body import decode"),
        (wrong_imports, "job.body", "from jobqueue.task.putter import Putter"),
        (wrong_imports, "task.putter", "import jobqueue.worker.running.executor"),
        (wrong_imports, "job_queue", "from jobqueue import Worker"),
        (wrong_imports, "worker.running.hooks", "import jobqueue.worker.slots.slot"),
        (
            wrong_imports,
            "worker.processes.supervisor",
            "def f():\n    from jobqueue.worker.slots import slot",
        ),
        (
            wrong_imports,
            "worker.processes.child",
            "from jobqueue.worker.running import executor",
        ),
        (wrong_imports, "worker.slots.slot", "from jobqueue.worker import Worker"),
        (wrong_imports, "operating.search", "import jobqueue.admin.session"),
        (wrong_imports, "admin.session", "from jobqueue.worker import Worker"),
        (wrong_imports, "operating.search", "import jobqueue.web.site"),
        (wrong_imports, "web.site", "from jobqueue.admin.screen import views"),
        (wrong_imports, "devserver.broker", "from jobqueue.errors import BrokerError"),
        (wrong_imports, "worker.metrics", "from jobqueue.testing import eager"),
        (
            connections_reached_by_running,
            "worker.running.executor",
            "from jobqueue.broker.consuming import ConsumerConnection",
        ),
        (
            connections_reached_by_running,
            "task.definition",  # which a file of running imports
            "from jobqueue.task.putter import Putter",
        ),
        (foreign_imports, "operating.search", "import greenstalk"),
        (foreign_imports, "web.site", "import uvicorn"),
        (foreign_imports, "worker.slots.slot", "import prometheus_client"),
        (foreign_imports, "job_queue", "def f():\n    import rich.table"),
        (unsafe_output, "operating.search", "print('x')"),
        (unsafe_output, "admin.top.loop", "import sys\nsys.stdout.write('x')"),
        (unsafe_output, "worker.one_process", "import sys\nw = sys.stderr.write"),
        (unsafe_output, "admin.jsonl", "import json\nJ = json.JSONEncoder()"),
        (unsafe_output, "worker.metrics", "import logging\nlogging.StreamHandler()"),
        (too_large, "errors", "\n" * LONGEST_FILE),
        (too_large, "errors", LONG_FUNCTION),
        (shared_names, "errors", SMALL_CLASS),
        (imported_tests, "conftest", "from tests.job.test_body import Opaque"),
        (imported_tests, "conftest", "import tests.job.test_body as body"),
        (imported_tests, "conftest", "from tests.job import (\n    test_body,\n)"),
        (imported_tests, "conftest", 'S = """\nfrom tests.job import test_body\n"""'),
    ],
)
def test_mutations(rule: Rule, module: str, addition: str) -> None:
    house = RULES[rule]
    broken = {**house, module: f"{house[module]}\n{addition}\n"}

    assert set(rule(broken)) - set(rule(house))


def test_import_has_no_effects() -> None:
    script = """
import logging, os, signal, socket, threading
connect = socket.socket.connect
def refuse(*args): raise SystemExit("connected at import")
socket.socket.connect = refuse
before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
import jobqueue, jobqueue.worker
assert threading.active_count() == 1
assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
assert not logging.getLogger().handlers
assert not logging.getLogger("jobqueue").handlers
print("fine")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "fine\n", done.stderr


def test_public_names_load_lazily() -> None:
    script = """
import sys, jobqueue
assert "jobqueue.errors" not in sys.modules
for name in jobqueue.__all__:
    getattr(jobqueue, name)
from jobqueue import *
assert Worker.__module__ == "jobqueue.worker"
assert dir(jobqueue) == sorted(jobqueue.__all__)
try:
    jobqueue.Celery
except AttributeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stdout == "module 'jobqueue' has no attribute 'Celery'\n", done.stderr


def test_public_names_for_type_checkers() -> None:
    declared = {
        alias.name: node.module
        for block in ast.parse(HOUSE[""]).body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    loaded = {name: getattr(jobqueue, name) for name in jobqueue.__all__}
    del loaded["__version__"]

    assert declared == {name: found.__module__ for name, found in loaded.items()}


def test_imports_of_a_producer() -> None:
    script = """
import sys
import greenstalk
before = set(sys.modules)
from jobqueue import Bury, JobQueue, Retry
slow = {"asyncio", "dataclasses", "inspect", "logging", "random", "urllib.parse"}
print(sorted(slow & (set(sys.modules) - before)))
print(sorted(name for name in sys.modules if name.startswith("jobqueue.worker")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stdout == "[]\n[]\n", done.stderr


def test_no_warning_from_the_worker_module() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "jobqueue.worker", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"jobqueue {jobqueue.__version__}\n"
    assert done.stderr == ""
