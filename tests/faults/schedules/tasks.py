"""The periodic tasks of a campaign. Each run is a line in the file ``$RUNS``."""

import json
import os
import time

from jobqueue import JobQueue, current_job
from jobqueue.schedule import schedule

schedule._FIELDS = 6  # of cron: with seconds, so that a short campaign has due times

TUBE = "periodic"
VERSION = int(os.environ["VERSION"])  # of the code: a deploy changes it

queue = JobQueue(max_lost=None, ttr=10)


def note() -> None:
    job = current_job()
    assert job.due is not None
    line = {"name": job.func_name, "due": int(job.due.timestamp()), "job": job.id}
    runs = os.open(os.environ["RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(runs, json.dumps(line | {"at": time.monotonic()}).encode() + b"\n")
    os.close(runs)


# One waits while another one is put late: so each due time has its job.
@queue.task(TUBE, every=1, pile_up=True)
def each_second() -> None:
    note()


@queue.task(TUBE, every=5, pile_up=True)
def each_five() -> None:
    note()


@queue.task(TUBE, cron="*/7 * * * * *", tz="America/New_York", pile_up=True)
def by_seconds() -> None:
    note()


@queue.task(TUBE, cron="* * * * *", tz="Europe/Berlin", pile_up=True)
def each_minute() -> None:
    note()


@queue.task(TUBE, every=3 + VERSION % 2, pile_up=True)
def changing() -> None:
    note()
