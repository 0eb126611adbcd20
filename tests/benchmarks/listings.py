"""How much memory commands take that look at a million jobs.

    python tests/benchmarks/listings.py [--jobs N] [--tubes N] [--mebibytes N]

Starts a beanstalkd of its own, and runs the commands as an operator does, each in a
process of its own, with its output in the null device. There are as many notes of
failures as workers keep in some tubes, each as large as a note can be. Ends with status
1 if a command has taken more memory than it may.
"""

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.broker.put_options import PutOptions
from jobqueue.job.note import FailureNote, NoteKind

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.helpers.peak_memory import peak_of
from tests.helpers.servers import REAL, Beanstalkd, free_port
from tests.helpers.terminal import put

MEBIBYTE = 2**20
KEPT = 1_000  # notes of each kind, for each tube

COMMANDS = [
    "--version",
    "list t",
    "list t --json",
    "list t --limit {jobs}",
    "list t --json --func nobody",
    "export t",
    "failures",
    "failures --json",
    "failures t0 --containing text",
    "list t0 --json --error Error7",
    "kick --dry-run --since 2h",
    "delete --tube t --func send --dry-run",
    "clear t --state ready --func send --dry-run",
    "clear t --state ready --yes",
]


def main() -> None:
    """Run each command, and print its seconds and its memory."""
    parser = argparse.ArgumentParser(description="How much memory do commands take?")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--tubes", type=int, default=20, help="with notes of failures")
    parser.add_argument("--mebibytes", type=int, default=60, help="allowed")
    options = parser.parse_args()
    too_much = []
    with Beanstalkd(free_port(), program=REAL) as broker:
        put(broker, options.jobs)
        put_notes(broker, options.tubes)
        print(f"{options.jobs:,} jobs, and {2 * KEPT * options.tubes:,} notes")
        for words in COMMANDS:
            command = words.format(jobs=options.jobs)
            began = time.perf_counter()
            mebibytes = peak(broker, *command.split()) / MEBIBYTE
            seconds = time.perf_counter() - began
            print(f"{command:44} {seconds:6.1f} s {mebibytes:6.1f} MiB", flush=True)
            if mebibytes > options.mebibytes:
                too_much.append(command)
    if too_much:
        sys.exit(f"more than {options.mebibytes} MiB: {', '.join(too_much)}")


def put_notes(broker: Beanstalkd, tubes: int) -> None:
    """Put notes that are as large as they can be, with different texts."""
    with OperatorConnection(Address.parse(broker.url)) as connection:
        for tube in range(tubes):
            for kind in (NoteKind.BURIED, NoteKind.RETRIED):
                notes = [note(kind, f"t{tube}", n) for n in range(KEPT)]
                options = PutOptions(priority=notes[0].priority)
                bodies = (found.encode() for found in notes)
                connection.put_many(notes[0].notes_tube, bodies, options)


def note(kind: NoteKind, tube: str, number: int) -> FailureNote:
    """Return a note about one of the jobs."""
    return FailureNote(
        kind=kind,
        job_id=number + 1,
        tube=tube,
        func_name="send",
        error=f"Error{number % 10}",
        error_text=f"{number} of {tube}: a text " + "x" * 1_000,
        traceback="y" * 5_000,
        attempt=1,
        kicks=0,
        when=datetime.now(UTC),
        host="host",
        pid=1,
    )


def peak(broker: Beanstalkd, *words: str) -> int:
    """Run a command, and return the most bytes that it has held."""
    with Path(os.devnull).open("wb") as output:
        return peak_of(
            [sys.executable, "-m", "jobqueue", *words],
            stdout=output,
            env=os.environ | {"BEANSTALKD_URL": broker.url},
        )[0]


if __name__ == "__main__":
    main()
