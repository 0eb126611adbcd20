"""Coverage-guided fuzzing of what comes from outside: ``python -m tests.faults.fuzz``.

Needs ``pip install atheris`` (Python 3.11 or 3.12). Arguments are libFuzzer's, as in
``python -m tests.faults.fuzz decode -max_total_time=60``.
"""

import importlib
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

atheris: Any
try:
    atheris = importlib.import_module("atheris")
except ImportError:
    sys.exit("atheris is needed: pip install atheris (on Python 3.11 or 3.12)")

with atheris.instrument_imports(include=["jobqueue", "greenstalk"]):
    from jobqueue.broker import connection as shared
    from jobqueue.broker.address import Address
    from jobqueue.broker.put_options import PutOptions
    from jobqueue.broker.settlement import DONE, Buried
    from jobqueue.broker.wire import BrokerSocket
    from jobqueue.errors import (
        BadJobError,
        BrokerError,
        BrokerURLError,
        JobTooBigError,
        PutManyError,
    )
    from jobqueue.job.body import decode
    from tests.helpers.connections import FullConnection


def fuzz_decode(data: bytes) -> None:
    """Any body is a message, or a BadJobError."""
    with suppress(BadJobError):
        decode(data)


def fuzz_url(data: bytes) -> None:
    """Any text is an address, or a BrokerURLError."""
    with suppress(BrokerURLError):
        Address.parse(data.decode("utf-8", "surrogateescape"))


class _Answers(BrokerSocket):
    """A socket at which all replies have come already, and the other side is gone."""

    data = b""

    @classmethod
    def connect_to(cls, address: Address) -> "_Answers":
        broker, client = socket.socketpair()
        with broker:
            broker.sendall(cls.data)
            broker.shutdown(socket.SHUT_WR)
        return cls(client.family, address.timeout, client.detach())

    def send(self, data: Any, *_: Any) -> int:
        """Send nothing: nobody is there."""
        return len(data)


OPTIONS = PutOptions()
CALLS: list[Callable[[FullConnection], object]] = [
    lambda c: c.put("t", b"", OPTIONS),
    lambda c: c.put_many("t", [b"", b""], OPTIONS),
    lambda c: c.watch_only(["t"]),
    lambda c: c.reserve(0),
    lambda c: c.settle(1, DONE),
    lambda c: c.settle(1, Buried(1)),
    lambda c: c.touch(1),
    lambda c: c.stats_job(1),
]


def fuzz_replies(data: bytes) -> None:
    """Any reply is a good one, or a documented error; the first byte says to what."""
    _Answers.data = data[1:]
    call = CALLS[data[0] % len(CALLS)] if data else CALLS[0]
    with (
        FullConnection(Address("nowhere")) as connection,
        suppress(BrokerError, PutManyError, JobTooBigError),
    ):
        call(connection)


TARGETS = {"decode": fuzz_decode, "url": fuzz_url, "replies": fuzz_replies}

# To begin with: libFuzzer can't see into json and urllib, and would guess for long.
BODY = b'{"func_name": "f", "tube": "t", "kwargs": {"a": [1, -2.5e3, null, "\\u00e4"]}}'
STATS = (
    b"---\nid: 7\ntube: t\nstate: reserved\npri: 7\ndelay: 0\nttr: 60\nreserves: 1\n"
    b"releases: 0\nburies: 0\nkicks: 0\n"
)
SEEDS = {
    "decode": [BODY, b"[{}]", b"[" * 99, b"NaN", b"1e999", b"\xff"],
    "url": [b"beanstalkd://[::1]:11300?timeout=2.5", b"unix:///run/b%20.sock"],
    "replies": [
        b"\0USING t\r\nINSERTED 7\r\n",
        b"\1USING t\r\nINSERTED 7\r\nDRAINING\r\n",
        b"\2OK 15\r\n---\n- default\n\n\r\nWATCHING 2\r\nWATCHING 1\r\n",
        b"\3RESERVED 7 4\r\nbody\r\n",
        b"\4DELETED\r\n",
        b"\5BURIED\r\n",
        b"\6TOUCHED\r\n",
        b"\7OK %d\r\n%b\r\n" % (len(STATS), STATS),
    ],
}


def main() -> None:
    """Fuzz the target that is named first; all arguments after it are libFuzzer's."""
    name, *arguments = sys.argv[1:] or ["decode"]
    if name not in TARGETS:
        sys.exit(f"what to fuzz is one of {', '.join(TARGETS)}, not {name}")
    vars(shared)["connect"] = _Answers.connect_to
    with TemporaryDirectory(prefix="jq-") as corpus:
        for number, seed in enumerate(SEEDS[name]):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *arguments, corpus], TARGETS[name])
        atheris.Fuzz()  # does not return


if __name__ == "__main__":
    main()
