"""The options of tasks and puts, from the docstrings of what takes them."""

import inspect
import re
from collections.abc import Iterator

from jobqueue import JobQueue, Putter
from tests.docs.reference.markdown import code, from_rst, table

# A paragraph, and the list that follows it.
_GROUP = re.compile(
    r"^([A-Z](?:.|\n(?!\n))*)\n\n((?:- .*\n(?:  .*\n)*)+)", re.MULTILINE
)
_ITEM = re.compile(r"^- ``(\w+)``: ((?:.|\n(?!- |\n))*)", re.MULTILINE)

PLACES = {
    "queue": inspect.signature(JobQueue.__init__).parameters,
    "task": inspect.signature(JobQueue.task).parameters,
    "put": inspect.signature(Putter.options).parameters,
}


def options() -> str:
    """Return a table of the options for each group of the decorator's docstring."""
    groups = dict(_groups())
    documented = {name for items in groups.values() for name in items}
    of_puts = dict(_ITEM.findall(inspect.getdoc(Putter.options) or ""))
    groups["Of a single put:"] = {
        name: text for name, text in of_puts.items() if name not in documented
    }
    documented |= {*of_puts, "self", "tube", "url", "secret"}
    if missing := {name for place in PLACES.values() for name in place} - documented:
        raise LookupError(f"no docstring has a list item for the options {missing}")
    return "\n".join(_table(*group) for group in groups.items() if group[1])


def _groups() -> Iterator[tuple[str, dict[str, str]]]:
    text = f"{inspect.getdoc(JobQueue.task)}\n"
    for group, items in _GROUP.findall(text):
        yield from_rst(group), dict(_ITEM.findall(items))


def _table(title: str, options: dict[str, str]) -> str:
    rows = [
        [
            code(name),
            from_rst(meaning),
            ", ".join(p for p in PLACES if name in PLACES[p]),
        ]
        for name, meaning in options.items()
    ]
    return f"{title}\n\n" + table(["option", "what it is", "given to"], rows)
