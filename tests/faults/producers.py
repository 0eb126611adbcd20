"""The producers of a campaign: threads that put jobs, and note the result of each."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobqueue import BrokerError, JobQueue, PutManyError

from .ledger import Ledger
from .recording import Kind

PRIORITIES = [0, 1000, 65536, 65536, 2**31]
DELAYS = [0, 0, 0, 0, 0, 0, 1, 2]  # seconds


@dataclass(slots=True)
class Producer:
    """A thread that puts jobs, and notes the result of each put."""

    ledger: Ledger
    queue: JobQueue
    rng: random.Random
    numbers: Iterator[Sequence[int]]
    kinds: Sequence[Kind]
    confirmed: int = 0
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        try:
            for numbers in self.numbers:
                self._put(numbers)
        except Exception as error:  # noqa: BLE001 - a put may raise no other error
            self.failures.append(f"a put has raised {error!r}")

    def _put(self, numbers: Sequence[int]) -> None:
        weights = [kind.weight for kind in self.kinds]
        (kind,) = self.rng.choices(self.kinds, weights)
        task = self.queue.task(
            kind.tube,
            ttr=kind.ttr,
            priority=self.rng.choice(PRIORITIES),
            delay=self.rng.choice(DELAYS),
        )(kind.task.__wrapped__)
        self.ledger.sent(numbers, kind.fate, kind.ttr)
        if len(numbers) > 1:
            self._put_many(task, numbers)
            return
        try:
            self.ledger.confirmed({numbers[0]: task.put(number=numbers[0])})
            self.confirmed += 1
        except BrokerError:
            self._wait()  # nobody knows whether it was put

    def _put_many(self, task: Any, numbers: Sequence[int]) -> None:
        ids: dict[int, int] = {}
        sent = 0
        try:
            ids = dict(enumerate(task.put_many({"number": n} for n in numbers)))
            sent = len(numbers)
        except PutManyError as error:
            ids = error.ids
            sent = _maybe_put(error, len(numbers))
            self._wait()
        except BrokerError:
            self._wait()  # before the first was sent
        self.ledger.confirmed({numbers[n]: job_id for n, job_id in ids.items()})
        self.confirmed += len(ids)
        self.ledger.refused(
            numbers[n] for n in range(sent, len(numbers)) if n not in ids
        )

    def _wait(self) -> None:
        time.sleep(self.rng.uniform(0, 0.2))


def _maybe_put(error: PutManyError, count: int) -> int:
    """Return how many items, from the first, may have been put."""
    if not error.unconfirmed:
        return 0
    if len(error.ids) == error.index:  # and none was refused
        return error.index + error.unconfirmed
    return count
