"""The replies to stats, stats-tube and stats-job: beanstalkd's keys in its order."""

import os
import platform
from collections.abc import Iterable, Mapping

from jobqueue.devserver.broker import Broker
from jobqueue.devserver.records import SECOND, StoredJob, StoredJobState, Tube

VERSION = "1.13+jobqueue"  # the protocol's version, and the name of this server
_BINLOG_SIZE = 10485760  # bytes: there is no binlog, but clients may read this key

_COUNTED = (
    "put",
    "peek",
    "peek-ready",
    "peek-delayed",
    "peek-buried",
    "reserve",
    "reserve-with-timeout",
    "delete",
    "release",
    "use",
    "watch",
    "ignore",
    "bury",
    "kick",
    "touch",
    "stats",
    "stats-job",
    "stats-tube",
    "list-tubes",
    "list-tube-used",
    "list-tubes-watched",
    "pause-tube",
)


def of_job(job: StoredJob, now: int) -> bytes:
    """Return the document of a job."""
    has_deadline = job.state in (StoredJobState.RESERVED, StoredJobState.DELAYED)
    return _yaml(
        {
            "id": job.id,
            "tube": _quoted(job.tube.name),
            "state": job.state.value,
            "pri": job.priority,
            "age": (now - job.created_at) // SECOND,
            "delay": job.delay // SECOND,
            "ttr": job.ttr // SECOND,
            "time-left": max(0, job.deadline - now) // SECOND if has_deadline else 0,
            "file": 0,
            "reserves": job.reserves,
            "timeouts": job.timeouts,
            "releases": job.releases,
            "buries": job.buries,
            "kicks": job.kicks,
        }
    )


def of_tube(tube: Tube, now: int) -> bytes:
    """Return the document of a tube."""
    left = max(0, tube.paused_until - now) if tube.pause else 0
    return _yaml(
        {
            "name": _quoted(tube.name),
            "current-jobs-urgent": tube.urgent,
            "current-jobs-ready": len(tube.ready),
            "current-jobs-reserved": tube.reserved,
            "current-jobs-delayed": len(tube.delayed),
            "current-jobs-buried": len(tube.buried),
            "total-jobs": tube.total_jobs,
            "current-using": tube.using,
            "current-watching": tube.watching,
            "current-waiting": len(tube.waiting),
            "cmd-delete": tube.deletes,
            "cmd-pause-tube": tube.pauses,
            "pause": tube.pause // SECOND,
            "pause-time-left": left // SECOND,
        }
    )


def of_server(broker: Broker) -> bytes:
    """Return the document of the whole server."""
    tubes = list(broker.tubes)
    clients = list(broker.clients)
    times = os.times()
    return _yaml(
        {
            "current-jobs-urgent": sum(tube.urgent for tube in tubes),
            "current-jobs-ready": sum(len(tube.ready) for tube in tubes),
            "current-jobs-reserved": sum(tube.reserved for tube in tubes),
            "current-jobs-delayed": sum(len(tube.delayed) for tube in tubes),
            "current-jobs-buried": sum(len(tube.buried) for tube in tubes),
            **{f"cmd-{name}": broker.commands[name] for name in _COUNTED},
            "job-timeouts": broker.timeouts,
            "total-jobs": broker.total_jobs,
            "max-job-size": broker.max_job_size,
            "current-tubes": len(tubes),
            "current-connections": len(clients),
            "current-producers": sum(client.is_producer for client in clients),
            "current-workers": sum(client.is_worker for client in clients),
            "current-waiting": sum(client.is_waiting for client in clients),
            "total-connections": broker.total_clients,
            "pid": os.getpid(),
            "version": _quoted(VERSION),
            "rusage-utime": f"{times.user:.6f}",
            "rusage-stime": f"{times.system:.6f}",
            "uptime": (broker.clock() - broker.started_at) // SECOND,
            "binlog-oldest-index": 0,
            "binlog-current-index": 0,
            "binlog-records-migrated": 0,
            "binlog-records-written": 0,
            "binlog-max-size": _BINLOG_SIZE,
            "draining": "true" if broker.is_draining else "false",
            "id": broker.id,
            "hostname": _quoted(platform.node()),
            "os": _quoted(platform.version()),
            "platform": _quoted(platform.machine()),
        }
    )


def names(tubes: Iterable[Tube]) -> bytes:
    """Return a list of the tubes' names."""
    return b"---\n" + b"".join(b"- %b\n" % tube.name.encode() for tube in tubes)


def _quoted(text: str) -> str:
    """Return a string as beanstalkd 1.13 shows it, which escapes nothing."""
    return f'"{text}"'


def _yaml(values: Mapping[str, str | int]) -> bytes:
    lines = (f"{key}: {value}\n" for key, value in values.items())
    return f"---\n{''.join(lines)}".encode()
