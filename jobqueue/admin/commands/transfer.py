"""The commands export and import: jobs as lines of JSON."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jobqueue.admin import jsonl
from jobqueue.admin.commands.importer import Importer
from jobqueue.admin.errors import CommandError
from jobqueue.admin.session import Session
from jobqueue.operating import formatting
from jobqueue.operating.finder import Finder

_WRITE_SIZE = 2**18  # bytes of lines


def export(session: Session) -> int:
    """Write the jobs of a tube as lines of JSON."""
    console = session.console
    with session.finding() as finder:
        count = 0
        try:
            with console.progress("Exporting", finder.total) as advance:
                for lines in _exported(finder):
                    with session.interrupts:  # only whole lines are written
                        console.bytes(b"".join(lines))
                        count += len(lines)
                    advance(count, finder.total)
        finally:
            jobs = formatting.number_of(count, "job")
            console.note(f"Exported {jobs}; they stay in the tube")
        finder.check_complete()
        session.say_without_note(finder.without_note)
    return 0


def _exported(finder: Finder) -> Iterator[list[bytes]]:
    """Yield the lines of the jobs that are found, some at a time.

    That is one body at a time, if bodies are large.
    """
    for jobs in finder.blocks():
        lines: list[bytes] = []
        size = 0
        for job in finder.with_bodies(jobs):
            lines.append(jsonl.encode(job))
            size += len(lines[-1])
            if size >= _WRITE_SIZE:
                yield lines
                lines, size = [], 0
        yield lines


def import_jobs(session: Session) -> int:
    """Put the jobs of an export."""
    console, options = session.console, session.options
    importer = Importer(session.connection, session.interrupts, options.from_line)
    is_done = False
    try:
        with _opened(options.file) as source:
            total = _count_lines(options.file) - options.from_line + 1
            with console.progress("Importing", max(0, total)) as advance:
                for _ in importer.run(source):
                    advance(importer.put, max(total, importer.put))
            is_done = True
    finally:
        importer.close()
        if console.as_json:
            console.json(
                {
                    "put": importer.put,
                    "next_line": None if is_done else importer.next_line,
                    "unconfirmed": importer.unconfirmed,
                }
            )
        console.note(_summary(importer, is_done=is_done))
    return 0


def _count_lines(name: str | None) -> int:
    """Return how many lines a file has; 0 for what can be read only once."""
    path = Path(str(name))
    if name in {None, "-"} or not path.is_file():
        return 0
    with suppress(OSError), path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(2**20), b""))
    return 0


def _summary(importer: Importer, *, is_done: bool) -> str:
    summary = f"Imported {formatting.number_of(importer.put, 'job')}"
    if not is_done and importer.put:
        summary += (
            f"; to go on, import the same lines with --from-line {importer.next_line}"
        )
    if importer.unconfirmed:
        lines = formatting.number_of(importer.unconfirmed, "line")
        summary += (
            f". The jobs of the next {lines} may have been put nevertheless: check "
            "which of them exist before you go on"
        )
        if importer.has_buried:
            summary += "; those to be buried are delayed for 100 years, and don't run"
    return summary


@contextmanager
def _opened(name: str | None) -> Iterator[Iterator[bytes]]:
    """Open a file, or standard input, and yield its lines. Raises CommandError."""
    if name in {None, "-"}:
        yield _lines(sys.stdin.buffer, "standard input")
        return
    try:
        file = Path(str(name)).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CommandError(f"can't read {name}: {error.strerror}") from None
    with file:
        yield _lines(file, str(name))


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        yield from file
    except OSError as error:
        raise CommandError(f"can't read {name}: {error.strerror}") from None
