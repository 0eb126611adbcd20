"""Markdown of tables, and of what docstrings say in reStructuredText."""

import inspect
import re
from collections.abc import Iterable, Sequence

_ROLE = re.compile(r":\w+:`(?:[^`<]*<)?~?([\w.]+)>?`")
_MODULE = re.compile(r"^[a-z_.]+\.(?=[A-Z])")  # before the name of a class


def from_rst(text: str) -> str:
    """Return a text of a docstring in Markdown, in one line."""
    text = _ROLE.sub(lambda role: _name(role[1]), " ".join(text.split()))
    return text.replace("``", "`")


def _name(name: str) -> str:
    short = _MODULE.sub("", name)
    return link_to_error(short) if name.startswith("jobqueue.errors.") else code(short)


def link_to_error(name: str) -> str:
    return f"[`{name}`](errors.md#{name.lower()})"


def paragraphs(documented: object) -> list[str]:
    """Return the paragraphs of a docstring, in reStructuredText."""
    return (inspect.getdoc(documented) or "").split("\n\n")


def summary(documented: object) -> str:
    """Return the first line of a docstring."""
    return from_rst(paragraphs(documented)[0])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def bullets(title: str, items: Iterable[tuple[str, str]]) -> str:
    """Return a list with a title; each item has a text about it."""
    return f"**{title}**\n\n" + "".join(f"- {item}: {text}\n" for item, text in items)


def code(text: object) -> str:
    return f"`` {text} ``" if "`" in str(text) else f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    return ", ".join(map(code, texts))
