"""The public names, with the directives by which Sphinx shows their docstrings."""

import enum
import importlib
import inspect

import jobqueue
from jobqueue import errors
from tests.docs.reference.markdown import bullets, code, codes, summary, table

GROUPS = {  # by the page that each stands on
    "Tasks and puts": ["jobqueue.JobQueue", "jobqueue.Putter"],
    "In a task": [
        "jobqueue.current_job",
        "jobqueue.Job",
        "jobqueue.Retry",
        "jobqueue.Bury",
        "jobqueue.BuriedJob",
        "jobqueue.NewJob",
    ],
    "Workers": ["jobqueue.Worker", "jobqueue.worker.metrics.WorkerMetrics"],
    "Operating": [
        "jobqueue.Operator",
        "jobqueue.JobRecord",
        "jobqueue.JobPage",
        "jobqueue.JobState",
        "jobqueue.JobStats",
        "jobqueue.TubeStats",
        "jobqueue.ServerStats",
        "jobqueue.FailureNote",
        "jobqueue.FailureGroup",
        "jobqueue.web.app",
    ],
    "Testing": [
        "jobqueue.testing.beanstalkd",
        "jobqueue.testing.run_jobs",
        "jobqueue.testing.eager",
        "jobqueue.testing.RanJob",
        "jobqueue.devserver.DevServer",
    ],
}

PAGES = {"Operating": "api-operating.md", "Testing": "api-testing.md"}  # else api.md

# The other classes are made by jobqueue itself.
MADE_BY_USERS = {
    "jobqueue.JobQueue",
    "jobqueue.Operator",
    "jobqueue.Retry",
    "jobqueue.Worker",
    "jobqueue.devserver.DevServer",
}

# What the commands and the workers share with these classes.
INTERNAL = {
    "describe",
    "encode",
    "finding",
    "notes",
    "notes_about",
    "notes_tube",
    "parse",
    "uninterrupted",
    "without_body",
}


def found(name: str) -> object:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def check_complete() -> None:
    """Raise LookupError for a public name that is in no group."""
    listed = {name.rpartition(".")[2] for names in GROUPS.values() for name in names}
    public = {*jobqueue.__all__} - {"__version__"} - {*vars(errors)}
    if missing := public - listed:
        raise LookupError(f"say in {__file__} which group {missing} belong to")


def contents() -> str:
    """Return a list of all public names, each with a link to its section."""
    check_complete()
    return "\n".join(
        bullets(group, [(_link(name, group), summary(found(name))) for name in names])
        for group, names in GROUPS.items()
    )


def api() -> str:
    """Return the sections of the groups that have no page of their own."""
    return "\n".join(
        f"## {group}\n\n{sections(group)}" for group in GROUPS if group not in PAGES
    )


def operating() -> str:
    return sections("Operating", heading="##")


def testing() -> str:
    return sections("Testing", heading="##")


def sections(group: str, heading: str = "###") -> str:
    return "\n".join(_section(name, heading) for name in GROUPS[group])


def _link(name: str, group: str) -> str:
    short = name.removeprefix("jobqueue.")
    anchor = short.lower().replace(".", "")
    return f"[`{short}`]({PAGES.get(group, 'api.md')}#{anchor})"


def _section(name: str, heading: str) -> str:
    documented = found(name)
    title = name.removeprefix("jobqueue.")
    parts = [f"{heading} {title}\n", f"{summary(documented)}\n"]
    directive = f".. autofunction:: {name}"
    if isinstance(documented, type):
        if fields := getattr(documented, "_fields", ()):
            parts.append(f"Fields: {codes(fields)}.\n")
        if rows := _members(documented):
            parts.append(table(["", "what it does"], rows))
        directive = f".. autoclass:: {name}\n   :members:"
        if any(base.__module__.startswith("jobqueue") for base in documented.__bases__):
            directive += "\n   :inherited-members:"
    parts.append(f"```{{eval-rst}}\n{directive}\n```\n")
    return "\n".join(parts)


def _members(kind: type) -> list[list[str]]:
    names = [
        name
        for base in kind.__mro__
        if base.__module__.startswith("jobqueue")
        for name, member in vars(base).items()
        if is_shown(name, member)
    ]
    return [[code(name), summary(getattr(kind, name))] for name in dict.fromkeys(names)]


def is_shown(name: str, member: object) -> bool:
    """Return whether a member of a class is for users, and says more than its name."""
    is_field = type(member).__name__ in {"_tuplegetter", "member_descriptor"}
    is_own = name.startswith("_") or name in INTERNAL or isinstance(member, enum.Enum)
    return not (is_field or is_own) and bool(inspect.getdoc(member))
