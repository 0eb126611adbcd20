"""The commands and their options, from the parsers of the command lines."""

import argparse

from jobqueue.__main__ import DEVSERVER, WORKER
from jobqueue.admin.arguments import make_parser as make_admin_parser
from jobqueue.devserver.__main__ import _parser as make_devserver_parser
from jobqueue.worker.arguments import make_parser as make_worker_parser
from tests.docs.reference.markdown import code, table

_COMMON = ("--url", "--json", "--help", "--version")


def worker() -> str:
    parser = make_worker_parser("jobqueue worker")
    return f"{_options(parser)}\n{_fenced(parser.epilog or '')}"


def devserver() -> str:
    return _options(make_devserver_parser("jobqueue devserver"))


def jobqueue() -> str:
    """Return a section for each command of ``jobqueue``."""
    parser = make_admin_parser("")
    common = table(
        ["option", "what it is"],
        [_row(a) for a in parser._actions if set(a.option_strings) & set(_COMMON)],
    )
    (commands,) = (
        action for action in parser._actions if isinstance(action.choices, dict)
    )
    sections = [
        _section(name, command) for name, command in _commands(commands).items()
    ]
    return f"{common}\n" + "\n".join(sections)


def overview() -> str:
    """Return what ``jobqueue --help`` says below the list of commands."""
    return _fenced(make_admin_parser("").epilog or "")


def _commands(action: argparse.Action) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands, without those that have sections here."""
    parsers = dict(action.choices or {})
    return {name: parsers[name] for name in parsers if name not in {WORKER, DEVSERVER}}


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    parts = [f"### {name}\n", f"{parser.description}\n"]
    if options := _options(parser, but=_COMMON):
        parts.append(options)
    if parser.epilog:
        parts.append(_fenced(parser.epilog))
    return "\n".join(parts)


def _options(parser: argparse.ArgumentParser, but: tuple[str, ...] = ()) -> str:
    rows = [
        _row(action)
        for action in parser._actions
        if action.help != argparse.SUPPRESS
        and not set(action.option_strings) & {*but, "--help"}
        and not isinstance(action.choices, dict)
    ]
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
        value = f"{{{','.join(map(str, action.choices))}}}"
    else:
        value = action.dest.upper()
    return f"{value}..." if action.nargs in {"+", "*"} else value


def _fenced(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"
