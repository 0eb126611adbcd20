"""Replies that are cut at each of their bytes, and the calls that receive them."""

from collections.abc import Callable
from pathlib import Path

from jobqueue import ConnectionLostError
from jobqueue.broker.address import Address
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.settlement import DONE
from jobqueue.broker.stats import JobState
from tests.helpers.connections import FullConnection
from tests.helpers.fake_broker import FakeBroker, cut

# What each method sends, and a whole reply.
COMMANDS = {
    "put": b"put",
    "reserve": b"reserve-with-timeout",
    "settle": b"delete",
    "stats_job": b"stats-job",
    "watch_only": b"watch",
    "server": b"stats",
    "tubes": b"list-tubes",
    "tube": b"stats-tube",
    "jobs": b"stats-job",
    "jobs_of": b"stats-job",
    "bodies": b"peek",
    "first": b"peek-ready",
    "kick_jobs": b"kick-job",
    "pause": b"pause-tube",
}
REPLIES = {
    "put": b"INSERTED 1234\r\n",
    "reserve": b"RESERVED 1234 5\r\nab\r\nd\r\n",
    "settle": b"DELETED\r\n",
    "stats_job": b"OK 18\r\n---\nid: 1\npri: 2\n\n\r\n",
    "watch_only": b"WATCHING 2\r\n",
    "server": b"OK 18\r\n---\nid: 1\npri: 2\n\n\r\n",
    "tubes": b"OK 14\r\n---\n- default\n\r\n",
    "tube": b"OK 18\r\n---\nid: 1\npri: 2\n\n\r\n",
    "jobs": b"OK 18\r\n---\nid: 1\npri: 2\n\n\r\n",
    "jobs_of": b'OK 13\r\n---\ntube: "t"\n\n\r\n',
    "bodies": b"FOUND 1 3\r\nabc\r\n",
    "first": b"FOUND 1 3\r\nabc\r\n",
    "kick_jobs": b"KICKED\r\n",
    "pause": b"PAUSED\r\n",
}
CALLS: dict[str, Callable[[FullConnection], object]] = {
    "put": lambda c: c.put("default", b"", PutOptions()),
    "reserve": lambda c: c.reserve(0),
    "settle": lambda c: c.settle(1, DONE),
    "stats_job": lambda c: c.stats_job(1),
    "watch_only": lambda c: c.watch_only(["t"]),
    "server": lambda c: c.server(),
    "tubes": lambda c: c.tubes(),
    "tube": lambda c: c.tube("t"),
    "jobs": lambda c: list(c.jobs([1])),
    "jobs_of": lambda c: c.jobs_of("t", [1]),
    "bodies": lambda c: list(c.bodies([1])),
    "first": lambda c: c.first("default", JobState.READY),
    "kick_jobs": lambda c: list(c.kick_jobs([1])),
    "pause": lambda c: c.pause("t", 60),
}


def call(connection: FullConnection, method: str) -> object:
    return CALLS[method](connection)


def cut_replies_taken(folder: Path, method: str) -> list[bytes]:
    """Return the cut replies that a connection took for whole ones; should be none.

    Has no assert, as it also runs under `python -O`.
    """
    taken = []
    reply = REPLIES[method]
    for end in range(len(reply)):
        fake = FakeBroker(folder / f"{method}-{end}")
        fake.on(COMMANDS[method], cut(reply[:end]))
        with fake, FullConnection(Address.parse(fake.url)) as connection:
            try:
                call(connection, method)
                taken.append(reply[:end])
            except ConnectionLostError:
                if connection.is_open:
                    taken.append(reply[:end])
    return taken
