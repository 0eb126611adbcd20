"""The jobs that a campaign has left in the broker."""

import json
from collections.abc import Iterable
from contextlib import suppress

import greenstalk

from tests.helpers.servers import Beanstalkd

from .ledger import Ledger

LONG_DELAY = 600  # seconds: longer than any delay of a put or a retry


def look_at_buried(broker: Beanstalkd, tubes: Iterable[str], ledger: Ledger) -> None:
    """Note each buried job, with the broker's counts of it, and delete it."""
    with broker.client() as client:
        for tube in tubes:
            client.use(tube)
            with suppress(greenstalk.NotFoundError):
                while True:
                    job = _peek(client, "buried")
                    ledger.found_buried(_number(job.body), client.stats_job(job))
                    client.delete(job)


def take_out_stranded(broker: Beanstalkd, tubes: Iterable[str], ledger: Ledger) -> None:
    """Delete and note the jobs that a broken import has left with a long delay."""
    with broker.client() as client:
        for tube in tubes:
            client.use(tube)
            with suppress(greenstalk.NotFoundError):
                job = _peek(client, "delayed")
                if client.stats_job(job)["time-left"] > LONG_DELAY:
                    ledger.note("stranded", _number(job.body))
                    client.delete(job)


def _peek(client: "greenstalk.Client[bytes]", state: str) -> "greenstalk.Job[bytes]":
    """Return the next job in a state, even one whose body beanstalkd has destroyed.

    greenstalk can't read such a job: zeros are in place of the line end, too.
    """
    job_id, size = client._send_cmd(b"peek-%b" % state.encode(), b"FOUND")
    body = client._reader.read(int(size) + 2)[:-2]
    return greenstalk.Job(int(job_id), body)


def _number(body: bytes) -> int | None:
    """Return the number of a job.

    None if beanstalkd has destroyed its body: it was killed while it moved the job in
    the binlog.
    """
    try:
        number: int = json.loads(body)["kwargs"]["number"]
    except ValueError:
        return None
    return number
