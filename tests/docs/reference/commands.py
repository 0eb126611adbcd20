"""The commands and their options, from the parsers of the command lines."""

import argparse
from collections.abc import Iterator

from jobqueue.__main__ import DEVSERVER, WORKER
from jobqueue.admin.arguments import make_parser as make_admin_parser
from jobqueue.admin.shared_arguments import add_filters
from jobqueue.devserver.__main__ import _parser as make_devserver_parser
from jobqueue.worker.arguments import make_parser as make_worker_parser
from tests.docs.reference.markdown import bullets, code, table

_COMMON = ("--url", "--json", "--help", "--version")
GROUPS = {
    "To look": ["stats", "top", "list", "show", "failures", "schedules"],
    "To change something": ["kick", "delete", "clear", "pause", "resume", "put"],
    "To move jobs": ["export", "import"],
    "In a browser": ["web"],
}


def contents() -> str:
    """Return a list of all commands, each with a link to its section."""
    return "\n".join(
        bullets(
            group,
            [
                (f"[`{name}`](#{name})", parser.description or "")
                for name, parser in commands.items()
            ],
        )
        for group, commands in _grouped()
    )


def filters() -> str:
    """Return the options by which commands choose jobs."""
    return table(["option", "what it is"], map(_row, _filters().values()))


def worker() -> str:
    parser = make_worker_parser("jobqueue worker")
    return f"{_options(parser)}\n{_fenced(parser.epilog or '')}"


def devserver() -> str:
    return _options(make_devserver_parser("jobqueue devserver"))


def jobqueue() -> str:
    """Return a section for each command of ``jobqueue``, group by group."""
    return "\n".join(
        f"## {group}\n\n"
        + "\n".join(_section(name, parser) for name, parser in commands.items())
        for group, commands in _grouped()
    )


def common() -> str:
    """Return the options that each command has."""
    actions = make_admin_parser("")._actions
    rows = [_row(a) for a in actions if set(a.option_strings) & set(_COMMON)]
    return table(["option", "what it is"], rows)


def overview() -> str:
    """Return what ``jobqueue --help`` says below its examples."""
    _, begin, text = (make_admin_parser("").epilog or "").partition("Exit status:")
    return _fenced(begin + text)


def _grouped() -> Iterator[tuple[str, dict[str, argparse.ArgumentParser]]]:
    """Yield the parsers of each group, without those that have sections of their own.

    Raises LookupError for a command that is in no group.
    """
    (parsers,) = (
        dict(action.choices)
        for action in make_admin_parser("")._actions
        if isinstance(action.choices, dict)
    )
    grouped = {name for names in GROUPS.values() for name in names}
    if missing := parsers.keys() - grouped - {WORKER, DEVSERVER}:
        raise LookupError(f"say in {__file__} which group {missing} belong to")
    for group, names in GROUPS.items():
        yield group, {name: parsers[name] for name in names}


def _filters() -> dict[str, argparse.Action]:
    """Return the options by which most commands choose jobs, by their texts."""
    parser = argparse.ArgumentParser(add_help=False)
    add_filters(parser.add_argument)
    return {action.help or "": action for action in parser._actions}


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    parts = [f"### {name}\n", f"{parser.description}\n"]
    if options := _options(parser, but=_COMMON):
        parts.append(options)
    if parser.epilog:
        parts.append(_fenced(parser.epilog))
    return "\n".join(parts)


def _options(parser: argparse.ArgumentParser, but: tuple[str, ...] = ()) -> str:
    shown = [
        action
        for action in parser._actions
        if action.help != argparse.SUPPRESS
        and not set(action.option_strings) & {*but, "--help"}
        and not isinstance(action.choices, dict)
    ]
    shared = [action for action in shown if action.help in _filters()]
    rows = [_row(action) for action in shown if action not in shared]
    if shared:
        names = ", ".join(code(action.option_strings[0]) for action in shared)
        rows.append([names, "[which jobs](#which-jobs)"])
    return table(["option", "what it is"], rows) if rows else ""


def _row(action: argparse.Action) -> list[str]:
    names = ", ".join(action.option_strings)
    value = "" if action.nargs == 0 else _value(action)
    help_ = (action.help or "") % {**vars(action)}
    return [code(f"{names} {value}".strip()), help_]


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        value = action.metavar
    elif action.choices:
        value = action.option_strings[-1].lstrip("-").upper()  # the help names them
    else:
        value = action.dest.upper()
    return f"{value}..." if action.nargs in {"+", "*"} else value


def _fenced(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"
