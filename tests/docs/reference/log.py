"""The lines of a worker's log and their keys, from the functions that write them."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jobqueue
from tests.docs.reference.markdown import code, codes, from_rst, table
from tests.helpers.paths import ROOT

KEYS = {
    "time": "when, in ISO 8601, in UTC",
    "level": "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`",
    "logger": "`jobqueue.worker`, or the name of your own logger",
    "message": "the text",
    "process": "the id of the process",
    "exception": "the traceback, if there is one",
    "job_id": "the broker's id of the job",
    "tube": "the tube that the job came from; null if its task is not known",
    "func_name": "the name of the task; null if it is not known",
    "seconds": "how long the job ran",
    "outcome": "what became of the job, as in the metrics; `put_back` if it was given "
    "back without a failure",
    "error": "the class of the error; null if there was none",
    "attempt": "how many times the broker has handed out the job",
    "job_ids": "the jobs that a process ran when it died",
}
_LEVELS = {"info", "warning", "error", "critical"}
_REPORTING = Path(jobqueue.__file__).parent / "worker"


def key_table() -> str:
    """Return a row for each key of a line about a job, with the lines that have it."""
    lines = json.loads((ROOT / "tests/contract.json").read_text())["log"]
    known = {key for keys in lines.values() for key in keys}
    if unknown := known - KEYS.keys():
        raise LookupError(f"say in {__file__} what the log's keys {unknown} are")
    rows = [
        [code(key), meaning, _where(key, lines)]
        for key, meaning in KEYS.items()
        if key in known
    ]
    return table(["key", "what it is", "in"], rows)


def _where(key: str, lines: dict[str, list[str]]) -> str:
    about_jobs = {line for line in lines if "Job" in line or "Kicks" in line}
    having = {line for line in lines if key in lines[line]}
    if having == set(lines):
        return "each line"
    if having == about_jobs:
        return "each line about a job's end"
    if having < about_jobs:
        return "the line about a failure"
    return codes(line.partition(" N")[0] + " …" for line in sorted(having))


def line_table() -> str:
    """Return a row for each line about what is more than one job's ordinary end."""
    rows = sorted(set(_lines()))
    return table(["line", "level", "it says"], ([code(a), b, c] for a, b, c in rows))


def _lines() -> Iterator[tuple[str, str, str]]:
    for path in sorted(_REPORTING.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                first = (ast.get_docstring(function) or "").partition("\n")[0]
                if first.startswith("Log "):
                    says = from_rst(first.removeprefix("Log ").removesuffix("."))
                    for level, text in _logged(function):
                        yield _readable(text), level.upper(), says


def _logged(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for node in ast.walk(function):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="logger"), attr=level),
                args=[ast.Constant(value=str(text)), *_],
            ) if level in _LEVELS:
                yield level, text


def _readable(text: str) -> str:
    return re.sub(r"(?:%[sdg]|%\.\df)+", "…", text)
