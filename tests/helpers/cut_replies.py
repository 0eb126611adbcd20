"""Replies that are cut at each of their bytes, and the calls that receive them."""

from pathlib import Path

from jobqueue import ConnectionLostError
from jobqueue.broker.address import Address
from jobqueue.broker.outcomes import DONE
from jobqueue.broker.put_options import PutOptions
from tests.helpers.connections import FullConnection
from tests.helpers.fake_broker import FakeBroker, cut

# What each method sends, and a whole reply.
COMMANDS = {
    "put": b"put",
    "reserve": b"reserve-with-timeout",
    "settle": b"delete",
    "stats_job": b"stats-job",
    "watch_only": b"list-tubes-watched",
}
REPLIES = {
    "put": b"INSERTED 1234\r\n",
    "reserve": b"RESERVED 1234 5\r\nab\r\nd\r\n",
    "settle": b"DELETED\r\n",
    "stats_job": b"OK 18\r\n---\nid: 1\npri: 2\n\n\r\n",
    "watch_only": b"OK 14\r\n---\n- default\n\r\n",
}


def call(connection: FullConnection, method: str) -> object:
    match method:
        case "put":
            return connection.put("default", b"", PutOptions())
        case "reserve":
            return connection.reserve(0)
        case "settle":
            return connection.settle(1, DONE)
        case "stats_job":
            return connection.stats_job(1)
        case _:
            connection.watch_only(["t"])
            return None


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
