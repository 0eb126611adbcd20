"""The pages operating/beanstalkd and guide/priorities: what they say is so."""

import json
import re
import resource
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from jobqueue import JobQueue
from tests.helpers.optional_programs import check
from tests.helpers.pages import blocks, page, write_printed
from tests.helpers.paths import ROOT
from tests.helpers.printed_commands import sh
from tests.helpers.servers import (
    Beanstalkd,
    eventually,
    eventually_true,
    require,
    require_beanstalkd,
)
from tests.helpers.terminal import operate, operate_json, put, put_buried

PAGE = "operating/beanstalkd"
ORDER = "guide/priorities"
SIZE = "How large a broker"
BINLOG = "What makes the binlog grow"
EXPORT_ALL = "Export all tubes"
SEVERAL = "Several brokers, side by side"
NETWORK = "Between the machines"
LIMIT = 65_536  # of open files, as the page has it


def blocks_of(section: str) -> list[str]:
    return blocks(PAGE, section=section)


def put_by(broker: Beanstalkd, *commands: str) -> None:
    for command in commands:
        assert operate(broker, "put", *command.split()).returncode == 0


def ran(broker: Beanstalkd, folder: Path, command: str) -> list[str]:
    """Run a printed worker until no job is ready, and return what its tasks print."""
    command = command.removesuffix(" &") + " --burst"
    return sh(command, broker, folder).stdout.splitlines()


def test_order_by_age(broker: Beanstalkd, tmp_path: Path) -> None:
    """Tubes make no difference, and a retry comes before newer jobs."""
    module, _ = blocks(ORDER)
    write_printed(module.replace(", priority=1000", ""), tmp_path)
    put_by(broker, "bulk resize path=1", "bulk resize path=2", "mail send to=3")

    worker = "python -m jobqueue.worker --import app.tasks"
    assert ran(broker, tmp_path, worker) == ["resize 1", "resize 2", "send 3"]


def test_order_of_what_was_kicked(broker: Beanstalkd, tmp_path: Path) -> None:
    module, _ = blocks(ORDER)
    write_printed(module, tmp_path)
    for n in range(3):
        put_by(broker, f"bulk resize path={n}")
    with broker.client("bulk") as client:
        client.watch("bulk")
        job = client.reserve()
        client.bury(job)
    operate(broker, "kick", "bulk", "--all")

    worker = "python -m jobqueue.worker --import app.tasks"
    assert ran(broker, tmp_path, worker) == ["resize 0", "resize 1", "resize 2"]


def test_order_by_priority(broker: Beanstalkd, tmp_path: Path) -> None:
    """The printed priority, of a put by the program, has the mail run first."""
    module, workers = blocks(ORDER)
    write_printed(module, tmp_path)
    script = "from app.tasks import *; resize.put('a'); send.put('b')"
    sh(f'python -c "{script}"', broker, tmp_path)

    worker = "python -m jobqueue.worker --import app.tasks"
    assert ran(broker, tmp_path, worker) == ["send b", "resize a"]

    sh(f'python -c "{script}"', broker, tmp_path)
    for printed, expected in zip(
        workers.splitlines(), (["send b"], ["resize a"]), strict=True
    ):
        assert ran(broker, tmp_path, printed) == expected


def test_limit_of_open_files(socket_folder: Path) -> None:
    """The printed command raises the limit of a beanstalkd that is running."""
    (command,) = blocks_of(SIZE)
    require("prlimit")
    limited = ("sh", "-c", 'ulimit -Sn 16; exec "$@"', "sh")
    with Beanstalkd(socket_folder / "l.sock", wrapped_in=limited) as broker:
        script = command.replace("$(pidof beanstalkd)", str(broker.pid))
        assert script != command
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        possible = str(LIMIT if hard == resource.RLIM_INFINITY else min(hard, LIMIT))
        script = script.replace(str(LIMIT), possible)
        subprocess.run(["sh", "-euc", script], check=True)
        limits = Path(f"/proc/{broker.pid}/limits").read_text()

    assert re.search(rf"Max open files +{possible} +{possible} ", limits)


def test_limits_are_alike() -> None:
    """docker-compose.yml and the unit have the limit that the page recommends."""
    (command,) = blocks_of(SIZE)
    unit = page("deploying/systemd").read_text()
    compose = (ROOT / "docker-compose.yml").read_text()

    (limit,) = re.findall(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)
    assert f"nofile: {limit}\n" in compose
    assert f"--nofile={limit}:{limit}" in command


@pytest.mark.parametrize("excess", [0, 4096])
def test_check_for_cron(broker: Beanstalkd, tmp_path: Path, excess: int) -> None:
    """The printed check fails if the binlog is larger than its jobs can need."""
    (command,) = blocks_of(BINLOG)
    server = operate_json(broker, "stats")["server"]
    assert server["binlog_excess"] == 0
    said = json.dumps({"server": {**server, "binlog_excess": excess}})
    stats = f"jobqueue() {{ echo '{said}'; }}\n" if excess else ""

    done = sh(stats + command, broker, tmp_path)

    assert done.returncode == (1 if excess else 0)
    assert ("4096" in done.stderr) == (excess > 0)


def test_way_back(broker: Beanstalkd, socket_folder: Path, tmp_path: Path) -> None:
    with Beanstalkd(socket_folder / "z.sock", "-z", "1000000") as large:
        go_back(large, broker, tmp_path)


def go_back(large: Beanstalkd, usual: Beanstalkd, tmp_path: Path) -> None:
    export, import_ = blocks_of(EXPORT_ALL)
    put(large, 2, "first")
    put(large, 1, "first", text="x" * 100_000)
    put(large, 2, "first")
    put(large, 3, "$(other)")
    put_buried(large, 1, "zuletzt")

    done = sh(export, large, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "jobs.jsonl").read_text().splitlines()
    assert len(lines) == 9
    done = sh(import_, usual, tmp_path)

    (number,) = (
        n
        for n, line in enumerate(lines, 1)
        if "x" * 100_000 in json.loads(line)["body"]
    )
    assert done.returncode == 1
    assert f"line {number}: " in done.stderr
    assert "too big" in done.stderr
    go_on = import_.replace("\n", f" --from-line {number + 1}\n")
    assert sh(go_on, usual, tmp_path).returncode == 0
    assert usual.counts("first") == {"ready": 4}
    assert usual.counts("$(other)") == {"ready": 3}
    assert usual.counts("zuletzt") == {"buried": 1}


def test_export_that_fails(tmp_path: Path, broker: Beanstalkd) -> None:
    """It says so, and does not pass for an export of nothing."""
    export, _ = blocks_of(EXPORT_ALL)
    put(broker)
    (tmp_path / "jobs.jsonl").mkdir()

    assert sh(export, broker, tmp_path).returncode != 0


def test_error_of_a_large_job(broker: Beanstalkd) -> None:
    """The advice has its warning at the place."""
    queue = JobQueue(broker.url)

    @queue.task("t")
    def work(text: str) -> None: ...

    with queue, pytest.raises(ValueError, match="larger -z, and then never again"):
        work.put("x" * 100_000)


def test_retries_grow_the_binlog(socket_folder: Path, tmp_path: Path) -> None:
    """Each release is a record, and none is dropped before the job is deleted."""
    require_beanstalkd()
    options = ("-b", str(tmp_path), "-f", "0", "-s", "4096")
    with Beanstalkd(socket_folder / "w.sock", *options) as broker:
        (job_id,) = put(broker)
        before = operate_json(broker, "stats")["server"]["binlog_files"]
        with broker.client("t") as client:
            client.watch("t")
            for _ in range(500):
                client.release(client.reserve(), delay=3600)
                client.kick(1)
        grown = operate_json(broker, "stats")["server"]["binlog_files"]
        size = sum(file.stat().st_size for file in tmp_path.glob("binlog.*"))
        assert grown > before + 5
        assert 75 < size / 1000 < 95  # bytes for each release and each kick
        operate(broker, "delete", job_id)
        put(broker, 100)
        eventually(
            lambda: operate_json(broker, "stats")["server"]["binlog_files"] < grown,
            expected=True,
        )


def test_copy_of_the_binlog(socket_folder: Path, tmp_path: Path) -> None:
    """A beanstalkd that starts on the copy of a stopped one has all of its jobs."""
    require_beanstalkd()
    (tmp_path / "own").mkdir()
    with Beanstalkd(socket_folder / "o.sock", "-b", str(tmp_path / "own")) as broker:
        put(broker, 3)
        put_buried(broker, 2)
        counts = broker.counts("t")
        broker.kill()
    shutil.copytree(tmp_path / "own", tmp_path / "copy")

    with Beanstalkd(socket_folder / "c.sock", "-b", str(tmp_path / "copy")) as broker:
        assert broker.counts("t") == counts == {"ready": 3, "buried": 2}


def test_two_cannot_share_a_binlog(socket_folder: Path, tmp_path: Path) -> None:
    require_beanstalkd()
    second = Beanstalkd(socket_folder / "2.sock", "-b", str(tmp_path))
    with Beanstalkd(socket_folder / "1.sock", "-b", str(tmp_path)):
        with suppress(AssertionError):  # it may accept a connection before it ends
            second.start()
        eventually_true(lambda: second.status)  # an error's


def test_two_brokers(broker: Beanstalkd, socket_folder: Path, tmp_path: Path) -> None:
    """Each printed worker runs the jobs of its broker; one of both does not start."""
    module, workers, unit, _ = blocks_of(SEVERAL)
    with Beanstalkd(socket_folder / "bulk.sock") as bulk:
        write_printed(
            module.replace("beanstalkd://127.0.0.1:11301", bulk.url), tmp_path
        )
        put_by(broker, "emails send to=a")
        put_by(bulk, "thumbnails thumbnail path=b")

        for printed, expected in zip(
            workers.splitlines(), (["send a"], ["thumbnail b"]), strict=True
        ):
            assert ran(broker, tmp_path, printed) == expected
        both = sh("jobqueue worker --import app.media --burst", broker, tmp_path)

    assert both.returncode == 2
    assert "different brokers" in both.stderr
    (tmp_path / "b.service").write_text(unit.replace("/usr/bin/beanstalkd", "/bin/sh"))
    check("systemd-analyze", "verify", tmp_path / "b.service")


def test_ssh() -> None:
    """ssh knows the options, and takes them as they are meant."""
    (command,) = blocks_of(NETWORK)
    require("ssh")
    asked = command.replace("ssh -N", "ssh -G -F none -N")
    printed = subprocess.check_output(["sh", "-euc", asked], text=True)

    options = dict(line.split(" ", 1) for line in printed.splitlines() if " " in line)
    assert options["exitonforwardfailure"] == "yes"
    assert options["serveraliveinterval"] == "15"  # as wire.py probes
    assert options["serveralivecountmax"] == "3"
    assert options["streamlocalbindunlink"] == "yes"
    assert options["streamlocalbindmask"] == "0177"
    assert "/run/jobs/beanstalkd.sock" in options["localforward"]
