"""The statistics of beanstalkd 1.12 and 1.13, read as the same records."""

import pytest

from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobState, JobStats
from jobqueue.broker.stats_reply import parse_names

# Replies of a real beanstalkd 1.12, with other numbers.
JOB = b"""---
id: 2
tube: 1.5
state: delayed
pri: 7
age: 1
delay: 5
ttr: 60
time-left: 4
file: 0
reserves: 6
timeouts: 1
releases: 2
buries: 3
kicks: 8
"""
TUBE = b"""---
name: 007
current-jobs-urgent: 1
current-jobs-ready: 2
current-jobs-reserved: 3
current-jobs-delayed: 4
current-jobs-buried: 5
total-jobs: 16
current-using: 0
current-watching: 7
current-waiting: 6
cmd-delete: 1
cmd-pause-tube: 1
pause: 60
pause-time-left: 59
"""
SERVER = b"""---
current-jobs-urgent: 1
current-jobs-ready: 2
current-jobs-reserved: 3
current-jobs-delayed: 4
current-jobs-buried: 5
cmd-put: 17
cmd-peek: 0
cmd-peek-ready: 0
cmd-peek-delayed: 0
cmd-peek-buried: 0
cmd-reserve: 0
cmd-reserve-with-timeout: 0
cmd-delete: 1
cmd-release: 0
cmd-use: 2
cmd-watch: 1
cmd-ignore: 0
cmd-bury: 0
cmd-kick: 0
cmd-touch: 0
cmd-stats: 1
cmd-stats-job: 2
cmd-stats-tube: 1
cmd-list-tubes: 1
cmd-list-tube-used: 1
cmd-list-tubes-watched: 1
cmd-pause-tube: 0
job-timeouts: 1
total-jobs: 16
max-job-size: 65535
current-tubes: 3
current-connections: 9
current-producers: 1
current-workers: 8
current-waiting: 6
total-connections: 1
pid: 8008
version: "1.12"
rusage-utime: 0.500000
rusage-stime: 0.250000
uptime: 60
binlog-oldest-index: 2
binlog-current-index: 4
binlog-records-migrated: 0
binlog-records-written: 0
binlog-max-size: 10485760
draining: true
id: 195958997dc82d7d
hostname: vm
os: #1 SMP PREEMPT_DYNAMIC @0
platform: x86_64
"""
# Lines that beanstalkd 1.13 writes otherwise.
QUOTED = {
    b"tube: 1.5": b'tube: "1.5"',
    b"name: 007": b'name: "007"',
    b"hostname: vm": b'hostname: "vm"',
    b"os: #1 SMP PREEMPT_DYNAMIC @0": b'os: "#1 SMP PREEMPT_DYNAMIC @0"',
    b"platform: x86_64": b'platform: "x86_64"',
}


def by_1_13(reply: bytes) -> bytes:
    for plain, quoted in QUOTED.items():
        reply = reply.replace(b"\n%b\n" % plain, b"\n%b\n" % quoted)
    return reply


def without(reply: bytes, *keys: bytes) -> bytes:
    lines = reply.splitlines(keepends=True)
    return b"".join(line for line in lines if line.partition(b":")[0] not in keys)


DELAYED = JobStats(2, "1.5", JobState.DELAYED, 7, 1, 5, 60, 4, 6, 1, 2, 3, 8)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (JOB, DELAYED),
        (by_1_13(JOB), DELAYED),
        (JOB.replace(b"1.5", b"007"), DELAYED._replace(tube="007")),
        (by_1_13(JOB).replace(b"1.5", b"007"), DELAYED._replace(tube="007")),
        (JOB.replace(b"file: 0\n", b"node: 7\n"), DELAYED),
        (without(JOB, b"file"), DELAYED),
        (without(by_1_13(JOB), b"file"), DELAYED),
        (JOB + b"a-new-one: a: b\n", DELAYED),
        (JOB.replace(b"left: 4", b"left: -4"), DELAYED._replace(time_left=-4)),
        (
            without(JOB, b"file").replace(b"left: 4", b"left: -4"),
            DELAYED._replace(time_left=-4),
        ),
        (JOB.replace(b"age: 1", b"age: -1"), DELAYED._replace(age=-1)),
        (
            without(JOB, b"age", b"time-left", b"timeouts"),
            DELAYED._replace(age=0, time_left=0, timeouts=0),
        ),
    ],
)
def test_a_job_is_read_from_every_version(reply: bytes, expected: JobStats) -> None:
    assert JobStats.parse(reply) == expected


def test_a_job_says_what_its_counts_mean() -> None:
    stats = JobStats.parse(JOB)

    assert stats.allowances == 9
    assert stats.lost == 0
    assert stats._replace(reserves=8).lost == 2
    again = stats._replace(buries=stats.kicks, reserves=20)
    assert again._replace(buries=stats.kicks + 3).lost == again.lost
    assert stats.as_dict() == {
        "id": 2,
        "tube": "1.5",
        "state": "delayed",
        "priority": 7,
        "age": 1,
        "delay": 5,
        "ttr": 60,
        "time_left": 4,
        "reserves": 6,
        "timeouts": 1,
        "releases": 2,
        "buries": 3,
        "kicks": 8,
    }


@pytest.mark.parametrize("value", [b"--4", b"-", b"", b"+4", b"- 4", b"4-", b"-4.5"])
def test_no_time_left(value: bytes) -> None:
    with pytest.raises(ValueError, match="instead of a number"):
        JobStats.parse(JOB.replace(b"left: 4", b"left: " + value))


@pytest.mark.parametrize(
    ("state", "time_left", "expected"),
    [
        (JobState.RESERVED, 4, 0),
        (JobState.RESERVED, 0, 0),
        (JobState.RESERVED, -21, 21),
        (JobState.DELAYED, -21, 0),
        (JobState.READY, 0, 0),
    ],
)
def test_overdue(state: JobState, time_left: int, expected: int) -> None:
    assert DELAYED._replace(state=state, time_left=time_left).overdue == expected


@pytest.mark.parametrize("reply", [TUBE, by_1_13(TUBE)])
def test_a_tube_is_read_from_every_version(reply: bytes) -> None:
    assert TubeStats.parse(reply) == TubeStats(
        tube="007",
        ready=2,
        delayed=4,
        reserved=3,
        buried=5,
        urgent=1,
        watching=7,
        waiting=6,
        puts=16,
        deletes=1,
        paused=59,
    )


def test_pause_that_is_over() -> None:
    reply = TUBE.replace(b"pause-time-left: 59", b"pause-time-left: -2")

    assert TubeStats.parse(reply).paused == 0


def test_missing_counts() -> None:
    tube = TubeStats.parse(without(TUBE, b"pause-time-left", b"current-waiting"))
    server = ServerStats.parse(without(SERVER, b"hostname", b"draining", b"pid"))

    assert (tube.paused, tube.waiting) == (0, 0)
    assert (server.hostname, server.is_draining, server.pid) == ("", None, 0)


@pytest.mark.parametrize(
    ("reply", "version"),
    [(SERVER, "1.12"), (by_1_13(SERVER).replace(b"1.12", b"1.13"), "1.13")],
)
def test_a_server_is_read_from_every_version(reply: bytes, version: str) -> None:
    assert ServerStats.parse(reply) == ServerStats(
        version=version,
        uptime=60,
        pid=8008,
        hostname="vm",
        has_binlog=True,
        binlog_files=3,
        is_draining=True,
        max_job_size=65535,
        ready=2,
        delayed=4,
        reserved=3,
        buried=5,
        connections=9,
        workers=8,
        waiting=6,
        puts=17,
        jobs=16,
        deletes=1,
        timeouts=1,
        cpu_seconds=0.75,
        binlog_size=3 * 10_485_760,
    )


@pytest.mark.parametrize(
    ("value", "hostname"),
    [
        (b"vm", "vm"),
        (b'"vm"', "vm"),
        (b"a: b", "a: b"),
        (b'"a: b"', "a: b"),
        (rb'"a\"b\\c"', r'a"b\c'),
        (b'"', '"'),
        (b'""', ""),
        ("bürö".encode(), "bürö"),
        (b'"b\xfc"', "b\ufffd"),
    ],
)
def test_any_name_of_a_host_is_read(value: bytes, hostname: str) -> None:
    reply = SERVER.replace(b"hostname: vm", b"hostname: " + value)

    assert ServerStats.parse(reply).hostname == hostname


def test_server_without_binlog() -> None:
    reply = SERVER.replace(b"-index: 2", b"-index: 0").replace(
        b"-index: 4", b"-index: 0"
    )

    server = ServerStats.parse(reply)

    assert (server.has_binlog, server.binlog_files) == (False, 0)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"---\n- default\n- 007\n- 1.5\n", ["default", "007", "1.5"]),
        (b'---\n- "default"\n- "007"\n- "1.5"\n', ["default", "007", "1.5"]),
        (b"---\n- a-tube\n", ["a-tube"]),
    ],
)
def test_quoted_tube_names(reply: bytes, expected: list[str]) -> None:
    assert parse_names(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"---\n",
        b"\xff\xff",
        b"\xff: 1\n",
        *(without(JOB, key) for key in (b"id", b"tube", b"state", b"pri", b"kicks")),
        JOB.replace(b"pri: 7", b"pri: -7"),
        JOB.replace(b"pri: 7", b"pri: 1_0"),
        JOB.replace(b"pri: 7", b'pri: "7"x'),
        JOB.replace(b"pri: 7", b"pri: "),
        JOB.replace(b"id: 2", b"id: 0"),
        JOB.replace(b"id: 2", b"id: 99999999999999999999"),
        JOB.replace(b"state: delayed", b"state: lost"),
        JOB.replace(b"tube: 1.5", b"tube: \xff"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(reply: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        JobStats.parse(reply)


@pytest.mark.parametrize("key", [b"name", b"current-jobs-ready"])
def test_a_tube_that_makes_no_sense_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match=f"no '{key.decode()}'"):
        TubeStats.parse(without(TUBE, key))


@pytest.mark.parametrize("key", [b"uptime", b"cmd-put", b"binlog-current-index"])
def test_a_server_that_makes_no_sense_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match=f"no '{key.decode()}'"):
        ServerStats.parse(without(SERVER, key))


@pytest.mark.parametrize(
    "reply", [b"", b"default\n", b"---\n- a\nb\n", b"---\n- \xff\n"]
)
def test_names_that_make_no_sense_are_refused(reply: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_names(reply)
