"""A record, outside of the broker, of what was put, what ran, and what failed."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .books import Books, Expiry, Fate, Processes, Put

if TYPE_CHECKING:
    from greenstalk import StatsJob

EVERYBODY = "everybody"
NO_PROCESS = "nobody"
BY_ID = (
    "expired ",
    "timed-out ",
    "doubted ",
    "vanished ",
)  # kinds of lines that know a job by its id
UNKNOWN = "unknown"  # for the number of a job whose body the broker has destroyed


class Ledger:
    """A file to which all processes append lines; each is one event with its time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def close(self) -> None:
        os.close(self._file)

    def note(self, kind: str, *words: object) -> None:
        self._write([_line(kind, *words)])

    def sent(self, numbers: Iterable[int], fate: Fate, ttr: int) -> None:
        """Note the jobs of a put before it is made, and how each has to end."""
        now = time.monotonic()
        pid = os.getpid()
        self._write(_line("sent", number, pid, now, fate, ttr) for number in numbers)

    def confirmed(self, ids: Mapping[int, int]) -> None:
        """Note the ids that a put has returned, by the numbers of the jobs."""
        now = time.monotonic()
        self._write(_line("confirmed", n, job_id, now) for n, job_id in ids.items())

    def refused(self, numbers: Iterable[int]) -> None:
        """Note jobs that were certainly not put: none of them may run."""
        self._write(_line("refused", number) for number in numbers)

    def kicked(self, ids: Mapping[int, int]) -> None:
        """Note that jobs, whose numbers are given by their ids, are about to be kicked.

        The kick itself may fail.
        """
        now = time.monotonic()
        self._write(_line("kicked", n, job_id, now) for job_id, n in ids.items())

    def copied(self, numbers: Iterable[int], state: str) -> None:
        """Note that an import is about to put jobs again, in this state."""
        self._write(_line("copied", number, state) for number in numbers)

    def fault(
        self, name: str, began: float, ended: float, costs: Processes, hits: Processes
    ) -> None:
        """Note a fault: which processes it may have cost a job, and which it has hit.

        For both, None stands for any process.
        """
        self.note("fault", name, began, ended, _words(costs), _words(hits))

    def held_up(self, pids: Processes, began: float, ended: float) -> None:
        """Note that the machine has held up processes for a time; None: any process."""
        self.note("held-up", _words(pids), began, ended)

    def expired(self, job_id: int, began: float) -> None:
        """Note that this process has lost a reservation, but not its connection."""
        self.note("expired", job_id, os.getpid(), began, time.monotonic())

    def timed_out(self, job_id: int) -> None:
        """Note that this process has ended a job at its time limit."""
        self.note("timed-out", job_id)

    def doubted(self, job_id: int) -> None:
        """Note that this process has buried a job for its losses, and still runs it."""
        self.note("doubted", job_id)

    def found_buried(self, number: int | None, counts: "StatsJob") -> None:
        """Note a job that is buried at the end, with the broker's counts of it."""
        self.note(
            "buried",
            UNKNOWN if number is None else number,
            counts["id"],
            counts["reserves"],
            counts["releases"],
            counts["buries"],
            counts["kicks"],
        )

    def about(self, numbers: Iterable[int]) -> str:
        """Return the lines about some jobs, and those about what is no job's."""
        of_interest = set(map(str, numbers))
        ids = {
            line.split()[2]
            for line in self._lines()
            if line.startswith(("confirmed ", "began "))
            and line.split()[1] in of_interest
        }
        return "".join(
            line
            for line in self._lines()
            if line.split()[1] in (ids if line.startswith(BY_ID) else of_interest)
            or line.startswith(("fault ", "held-up "))
        )

    def read(self) -> Books:
        """Return all that was noted."""
        books = Books()
        for line in self._lines():
            _enter(books, *line.split())
        return books

    def _lines(self) -> Iterator[str]:
        with self.path.open() as file:
            yield from file

    def _write(self, lines: Iterable[str]) -> None:
        data = "".join(lines).encode()
        assert os.write(self._file, data) == len(data)


def _line(*words: object) -> str:
    return " ".join(map(str, words)) + "\n"


def _words(pids: Processes) -> str:
    return EVERYBODY if pids is None else ",".join(map(str, pids)) or NO_PROCESS


def _pids(words: str) -> Processes:
    if words == EVERYBODY:
        return None
    return frozenset() if words == NO_PROCESS else frozenset(map(int, words.split(",")))


def _enter(books: Books, kind: str, *words: str) -> None:
    """Add the event of one line to the books."""
    match kind, words:
        case "sent", (number, pid, now, fate, ttr):
            put = Put(int(pid), float(now), Fate(fate), int(ttr))
            books.puts[int(number)] = put
        case "confirmed", (number, job_id, now):
            books.confirmed(int(number), int(job_id), float(now))
        case "began", (number, job_id, pid, began):
            books.began(int(number), int(job_id), int(pid), float(began))
        case "ended" | "again" | "for-good" | "cut-off", (number, job_id, *run, now):
            pid, began = run
            key = int(job_id), int(pid), float(began)
            books.run_ended(int(number), key, kind, float(now))
        case "refused" | "stranded" | "admitted", (number,):
            numbers: set[int] = getattr(books, kind)
            numbers.add(int(number))
        case "buried", (number, job_id, *counts):
            known = None if number == UNKNOWN else int(number)
            books.buried(known, int(job_id), *map(int, counts))
        case _:
            _enter_accident(books, kind, *words)


def _enter_accident(books: Books, kind: str, *words: str) -> None:
    """Add the event of one line about a fault, or the machine, to the books."""
    match kind, words:
        case "fault", (name, began, ended, costs, hits):
            books.fault(name, float(began), float(ended), _pids(costs), _pids(hits))
        case "held-up", (pids, began, ended):
            books.held_up(_pids(pids), float(began), float(ended))
        case "expired", (job_id, pid, began, now):
            expiry = Expiry(int(pid), float(began), float(now))
            books.expiries.setdefault(int(job_id), []).append(expiry)
        case "vanished", (job_id,):
            books.vanish(int(job_id))
        case "timed-out", (job_id,):
            books.timed_out.add(int(job_id))
        case "doubted", (job_id,):
            books.doubted.add(int(job_id))
        case "load", (load,):
            books.loads.append(float(load))
        case "slot-threads", (count,):
            books.slot_threads[int(count)] += 1
        case _:
            _enter_command(books, kind, *words)


def _enter_command(books: Books, kind: str, *words: str) -> None:
    """Add the event of one line about the operator to the books."""
    match kind, words:
        case "kicked", (_, job_id, now):
            books.kicks.setdefault(int(job_id), []).append(float(now))
        case "copied", (number, state):
            books.copied(int(number), state)
        case "command", (name, status):
            books.commands[name, int(status)] += 1
        case _:
            raise AssertionError(f"not a line of a ledger: {kind} {words}")
