"""The operator's commands on a server: what they print, do, and leave alone."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import jobqueue
from jobqueue import Worker
from tests.helpers.paths import ROOT
from tests.helpers.servers import Beanstalkd, eventually_true, require_beanstalkd
from tests.helpers.terminal import (
    COMMAND,
    Terminal,
    body,
    bury,
    environment,
    json_lines,
    operate,
    operate_json,
    put,
    put_buried,
    without_rich,
)


def columns(line: str) -> list[str]:
    return line.split()


def test_it_says_who_it_is(broker: Beanstalkd) -> None:
    assert operate(broker, "--version").stdout == f"jobqueue {jobqueue.__version__}\n"
    helped = operate(broker, "--help").stdout
    for command in ("stats", "top", "list", "show", "kick", "clear", "export"):
        assert f"\n    {command} " in helped
    assert all(len(line) <= 80 for line in helped.splitlines())


def test_the_console_script_is_the_same(broker: Beanstalkd) -> None:
    script = Path(sys.executable).parent / "jobqueue"
    done = subprocess.run(
        [script, "stats", "--url", broker.url],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "TUBE" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "stats",
        "top",
        "list",
        "show",
        "kick",
        "delete",
        "clear",
        "pause",
        "put",
        "export",
        "import",
    ],
)
def test_every_command_has_help_that_fits_a_terminal(
    broker: Beanstalkd, command: str
) -> None:
    done = operate(broker, command, "--help")

    assert done.returncode == 0
    assert "--url" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["nonsense"], "invalid choice: 'nonsense'"),
        ([], "required: COMMAND"),
        (["stats", "a\r\nb"], "'a\\r\\nb' is not a tube name"),
        (["list", "-x"], "required: TUBE"),
        (["list", "a b"], "'a b' is not a tube name"),
        (["list", "t", "--limit", "0"], "'0' is not a whole number from 1"),
        (["list", "t", "--state", "lost"], "invalid choice: 'lost'"),
        (["stats", "--url", "redis://:s3cret@h"], "'redis://***@h' is not a broker's"),
        (["stats", "redis://:s3cret@h"], "'redis://***@h' is not a tube name"),
        (["top", "redis://:s3cret@h"], "arguments: redis://***@h"),
        (["show", "0"], "a job's id has to be from 1 to"),
        (["show", "99999999999999999999"], "a job's id has to be from 1 to"),
        (["show", "1\r\n"], "is not a whole number from 0"),
        (["delete", "1", "0"], "a job's id has to be from 1 to"),
        (["kick", "t"], "give a tube with either --all or --count N, or --job ID..."),
        (["kick", "t", "--all", "--count", "3"], "either --all or --count N"),
        (["kick", "t", "--job", "3"], "give either --job ID..., or a tube"),
        (["kick", "--all"], "give a tube with either"),
        (["kick", "--job", "0"], "a job's id has to be from 1 to"),
        (["clear", "t"], "required: --state"),
        (["pause", "t", "0"], "SECONDS has to be a whole number from 1"),
        (["pause", "t", "4294967296"], "SECONDS has to be a whole number from 1 to"),
        (["pause", "a\nb", "5"], "'a\\nb' is not a tube name"),
        (["put", "t", "f", "x"], "'x' is not an argument: it should be name=value"),
        (["put", "t", "f", "1=2"], "'1=2' is not an argument"),
        (["put", "t", "f", "x=1", "x=2"], "argument 'x' is given twice"),
        (["put", "t", "a-b"], "'a-b' is not the name of a function"),
        (["put", "t", "f", "--priority", "4294967296"], "priority has to be"),
        (["put", "t", "f", "--ttr", "0"], "ttr has to be a whole number from 1"),
        (["put", "t", "f", "--delay", "-1"], "'-1' is not a whole number from 0"),
        (["put", "t\r\ndelete 1", "f"], "is not a tube name"),
        (["top", "--interval", "0"], "'0' is not a number of seconds from 0.1 to"),
    ],
)
def test_wrong_use_ends_with_2_and_one_clear_line_and_sends_nothing(
    broker: Beanstalkd, arguments: list[str], error: str
) -> None:
    put(broker)
    done = operate(broker, *arguments)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("jobqueue")
    assert ": error: " in line
    assert error in line
    assert done.stdout == ""
    assert broker.counts("t") == {"ready": 1}


def test_a_broker_that_is_away_is_one_line_and_1(broker: Beanstalkd) -> None:
    broker.kill()

    for command in (["stats"], ["top"], ["list", "t"], ["put", "t", "f"], ["import"]):
        done = operate(broker, *command, stdin=b'{"tube": "t", "body": ""}\n')
        assert done.returncode == 1
        assert f"error: beanstalkd at {broker.url} can't be reached" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["list", "export", "resume", "kick --all", "clear --yes --state ready"]
)
def test_a_tube_that_is_not_there_is_named(broker: Beanstalkd, command: str) -> None:
    name, *options = command.split()
    done = operate(broker, name, "nope", *options)

    assert done.returncode == 1
    assert "has no tube 'nope'" in done.stderr
    assert broker.counts("nope") == {}


def test_stats_counts_each_tube_and_the_server(broker: Beanstalkd) -> None:
    put(broker, 3)
    put(broker, 2, delay=100)
    put_buried(broker, 1)
    put(broker, 1, "u")
    operate(broker, "pause", "u", 90)

    done = operate(broker, "stats", "t", "u")
    told = operate_json(broker, "stats")

    head, t, u, _, server = done.stdout.splitlines()
    titles = "TUBE READY DELAYED RESERVED BURIED WATCH WAIT PUTS PAUSED"
    assert columns(head) == titles.split()
    assert columns(t) == ["t", "3", "2", "0", "1", "0", "0", "6", "-"]
    assert columns(u)[:-1] == ["u", "1", "0", "0", "0", "0", "0", "1", "1m"]
    assert server.startswith(f"beanstalkd {broker.version()}")
    assert server.endswith("no binlog, not draining, jobs of up to 65,535 bytes")
    assert [tube["tube"] for tube in told["tubes"]] == ["default", "t", "u"]
    assert told["server"]["ready"] == 4
    assert told["server"]["has_binlog"] is False
    assert told["tubes"][1] == {
        "tube": "t",
        "ready": 3,
        "delayed": 2,
        "reserved": 0,
        "buried": 1,
        "urgent": 0,
        "watching": 0,
        "waiting": 0,
        "puts": 6,
        "deletes": 0,
        "paused": 0,
    }


def test_stats_of_a_tube_that_is_missing_shows_the_others(broker: Beanstalkd) -> None:
    put(broker)

    done = operate(broker, "stats", "t", "nope")

    assert done.returncode == 1
    assert "\nt " in done.stdout
    assert "has no tube 'nope'" in done.stderr


def test_list_shows_jobs_of_every_state(broker: Beanstalkd) -> None:
    (ready,) = put(broker, 1, priority=0)
    (delayed,) = put(broker, 1, delay=3600)
    (buried,) = put_buried(broker, 1)
    (reserved,) = put(broker, 1, priority=0, ttr=90)
    with broker.client("t") as client:
        client.reserve_job(reserved)

        done = operate(broker, "list", "t")
        told = json_lines(operate(broker, "list", "t", "--json").stdout)

    head, *lines = done.stdout.splitlines()
    assert columns(head)[:5] == ["ID", "STATE", "AGE", "LEFT", "PRI"]
    found = {int(columns(line)[0]): columns(line) for line in lines}
    assert sorted(found) == sorted([ready, delayed, buried, reserved])
    assert found[ready][1:2] + found[ready][3:] == (
        ["ready", "-", "0", "0", "0", "0", "0", "0", "send", "n=0"]
    )
    assert found[buried][3:] == ["-", "7", "1", "0", "0", "1", "0", "send", "n=0"]
    assert found[delayed][3] in {"59m", "1h"}
    assert [job["state"] for job in told] == ["ready", "delayed", "buried", "reserved"]
    assert told[0]["func_name"] == "send"
    assert told[0]["kwargs"] == {"n": 0}
    assert told[3]["time_left"] in range(60, 91)


def test_list_takes_states_and_a_limit(broker: Beanstalkd) -> None:
    put(broker, 5)
    put_buried(broker, 5)
    put(broker, 5, delay=99)

    def states(*options: object) -> list[str]:
        lines = operate(broker, "list", "t", "--json", *options).stdout
        return sorted(job["state"] for job in json_lines(lines))

    assert states("--state", "buried") == ["buried"] * 5
    both = states("--state", "buried", "--state", "delayed")
    assert both == ["buried"] * 5 + ["delayed"] * 5
    assert states("--state", "ready", "--limit", 3) == ["ready"] * 3
    assert states("--state", "reserved") == []


def test_list_finds_thousands_of_jobs_between_others(broker: Beanstalkd) -> None:
    expected = put(broker, 1000)
    put(broker, 1000, "other")
    expected += put(broker, 1000, delay=1000)

    done = operate(broker, "list", "t", "--json")

    assert [job["id"] for job in json_lines(done.stdout)] == expected
    assert len(operate(broker, "list", "t").stdout.splitlines()) == 2001
    assert done.stderr == ""


OWN_COMMANDS = {"stats", "stats-job", "stats-tube", "use", "peek", "list-tubes"} | {
    f"peek-{state}" for state in ("ready", "delayed", "buried")
}
VARYING = {"uptime", "rusage-utime", "rusage-stime", "total-connections"}


def test_list_changes_no_counter_but_its_own_commands(broker: Beanstalkd) -> None:
    put(broker, 50)
    put_buried(broker, 50)

    def counters() -> list[dict[str, Any]]:
        with broker.client() as client:
            server: dict[str, Any] = {**client.stats()}
            tube: dict[str, Any] = {**client.stats_tube("t")}
            jobs: list[dict[str, Any]] = [{**client.stats_job(n)} for n in (1, 60)]
        own = {f"cmd-{command}" for command in OWN_COMMANDS} | VARYING
        server = {key: value for key, value in server.items() if key not in own}
        return [server, tube, *({**job, "age": 0} for job in jobs)]

    before = counters()
    assert operate(broker, "list", "t").returncode == 0
    assert operate(broker, "export", "t").returncode == 0

    assert before == counters()


ODD_BODIES = {
    b"\x1b[31mred\x07": "\\x1b[31mred\\x07",
    b"\xff\xfe": "\\xff\\xfe",
    "\u202eleft".encode(): "\\u202eleft",
    b"a\r\nb": "a\\r\\nb",
    b"[" * 60_000: "[[[",
    b"": "",
}


@pytest.mark.parametrize("odd", ODD_BODIES)
def test_a_body_that_is_no_job_is_shown_escaped(broker: Beanstalkd, odd: bytes) -> None:
    with broker.client("t") as client:
        job_id = client.put(odd)

    shown = operate(broker, "show", job_id)
    listed = operate(broker, "list", "t")
    (told,) = json_lines(operate(broker, "list", "t", "--json").stdout)

    assert shown.stdout.partition("\n\n")[2].startswith(ODD_BODIES[odd])
    assert ODD_BODIES[odd] in listed.stdout
    assert "\x1b" not in shown.stdout + listed.stdout
    assert (told["func_name"], told["kwargs"]) == (None, None)


def test_show_tells_all_about_a_job(broker: Beanstalkd) -> None:
    (job_id,) = put(broker, 1, priority=5, ttr=70, delay=90)

    done = operate(broker, "show", job_id)
    told = operate_json(broker, "show", job_id)

    head, _, text = done.stdout.partition("\n\n")
    assert json.loads(text) == json.loads(body())
    assert "\n  " in text
    lines = dict(line.split(maxsplit=1) for line in head.splitlines())
    assert (lines["tube"], lines["priority"], lines["ttr"]) == ("t", "5", "70 s")
    assert lines["state"].startswith("delayed (ready in 1m")
    assert told["body"] == body().decode()
    assert (told["id"], told["state"]) == (job_id, "delayed")


def test_show_of_no_job_says_so(broker: Beanstalkd) -> None:
    done = operate(broker, "show", 7)

    assert done.returncode == 1
    assert "has no job 7: it was done or deleted, or never existed" in done.stderr


def test_kick_all_kicks_what_is_buried_and_nothing_delayed(broker: Beanstalkd) -> None:
    put_buried(broker, 2000)
    put(broker, 10, "other")
    put(broker, 20, delay=1000)

    done = operate(broker, "kick", "t", "--all")
    again = operate(broker, "kick", "t", "--all", "--json")

    assert done.stdout == "Kicked 2,000 jobs of tube 't'\n"
    assert broker.counts("t") == {"ready": 2000, "delayed": 20}
    assert (again.returncode, again.stdout) == (1, '{"kicked": 0}\n')


def test_kick_count_kicks_what_was_buried_first(broker: Beanstalkd) -> None:
    ids = put(broker, 10)
    bury(broker, reversed(ids))
    put(broker, 5, delay=1000)

    told = operate_json(broker, "kick", "t", "--count", 4)

    assert told == {"kicked": 4}
    kicked = [n for n in ids if broker.stats_job(n)["state"] == "ready"]
    assert kicked == ids[-4:]
    assert operate_json(broker, "kick", "t", "--count", 99) == {"kicked": 6}
    assert broker.counts("t") == {"ready": 10, "delayed": 5}


def test_kick_by_id_leaves_alone_what_is_not_buried(broker: Beanstalkd) -> None:
    (buried,) = put_buried(broker)
    (delayed,) = put(broker, 1, delay=1000)

    done = operate(broker, "kick", "--job", buried, delayed, 99)

    assert done.returncode == 1
    assert done.stdout == "Kicked 1 job\n"
    assert done.stderr.splitlines() == [
        f"job {delayed} is delayed, not buried",
        "there is no job 99",
    ]
    assert broker.counts("t") == {"ready": 1, "delayed": 1}


def test_kick_touches_no_delayed_job_while_others_kick_and_delete(
    broker: Beanstalkd,
) -> None:
    ids = put_buried(broker, 1500)
    put(broker, 50, delay=1000)
    over = threading.Event()

    def interfere() -> None:
        with broker.client("t") as client:
            for job_id in ids[::-2]:
                client.delete(job_id)
            over.set()

    thread = threading.Thread(target=interfere)
    thread.start()
    while not over.is_set():
        operate(broker, "kick", "t", "--all")
    thread.join()
    operate(broker, "kick", "t", "--all")

    counts = broker.counts("t")
    assert counts["delayed"] == 50
    assert "buried" not in counts


def test_a_kick_ends_while_workers_bury_the_jobs_again(broker: Beanstalkd) -> None:
    put_buried(broker, 300)

    @jobqueue.JobQueue(broker.url).task("t")
    def send(n: int) -> None:
        raise ValueError(n)

    worker = Worker(url=broker.url)
    thread = threading.Thread(target=worker.run)
    thread.start()
    done = operate(broker, "kick", "t", "--all")
    eventually_true(lambda: broker.counts("t") == {"buried": 300})
    worker.stop()
    thread.join()

    assert done.stdout == "Kicked 300 jobs of tube 't'\n"
    assert broker.stats_job(1)["kicks"] == 1


def test_delete_says_what_could_not_be_deleted(broker: Beanstalkd) -> None:
    ids = put(broker, 3)
    with broker.client("t") as client:
        client.reserve_job(ids[1])

        done = operate(broker, "delete", *ids, 77)
        told = operate(broker, "delete", ids[1], "--json")

    assert done.returncode == 1
    assert done.stdout == "Deleted 2 jobs\n"
    assert done.stderr.splitlines() == [
        f"job {ids[1]} is reserved: only its worker can delete it",
        "there is no job 77",
    ]
    assert json.loads(told.stdout) == {"deleted": 0, "not_deleted": [ids[1]]}
    assert operate(broker, "delete", ids[1]).returncode == 0


def test_clear_deletes_the_jobs_of_these_states_only(broker: Beanstalkd) -> None:
    put(broker, 1200)
    put(broker, 800, "other")
    put(broker, 700, delay=1000)
    put_buried(broker, 2000)

    done = operate(broker, "clear", "t", "--state", "buried", "--yes")
    both = ("--state", "ready", "--state", "delayed", "--yes")
    assert done.stdout == "Deleted 2,000 jobs of tube 't'\n"
    assert broker.counts("t") == {"ready": 1200, "delayed": 700}
    assert operate_json(broker, "clear", "t", *both) == {
        "cleared": 1900,
        "reserved": 0,
        "left": 0,
    }
    assert broker.counts("other") == {"ready": 800}


def test_clear_says_how_many_are_reserved(broker: Beanstalkd) -> None:
    ids = put(broker, 5)
    with broker.client("t") as client:
        for job_id in ids[:3]:
            client.reserve_job(job_id)
        states = ("--state", "ready", "--state", "reserved", "--yes")
        done = operate(broker, "clear", "t", *states)

        assert done.returncode == 0
        assert done.stdout.splitlines() == [
            "Deleted 2 jobs of tube 't'",
            "Not deleted: 3 reserved jobs, which only workers can delete",
        ]


def test_clear_without_a_terminal_and_without_yes_is_refused(
    broker: Beanstalkd,
) -> None:
    put(broker, 2)

    done = operate(broker, "clear", "t", "--state", "ready")

    assert done.returncode == 2
    assert "there is no terminal to ask on: give --yes" in done.stderr
    assert broker.counts("t") == {"ready": 2}


@pytest.mark.parametrize(
    ("answer", "status", "left"), [("y", 0, {}), ("n", 1, {"ready": 2}), ("", 1, None)]
)
def test_clear_asks_first_on_a_terminal(
    broker: Beanstalkd, answer: str, status: int, left: dict[str, int] | None
) -> None:
    put(broker, 2)

    with Terminal(broker, "clear", "t", "--state", "ready") as terminal:
        terminal.shows("Delete 2 ready jobs of tube 't' for good? [y/N]")
        terminal.types(f"{answer}\n")
        assert terminal.exit_code() == status

    assert broker.counts("t") == ({"ready": 2} if left is None else left)


def test_pause_and_resume_a_tube(broker: Beanstalkd) -> None:
    put(broker)

    done = operate(broker, "pause", "t", 3600)
    with broker.client("t") as client:
        paused = client.stats_tube("t")["pause-time-left"]
        resumed = operate_json(broker, "resume", "t")
        after = client.stats_tube("t")["pause-time-left"]

    assert done.stdout == "Tube 't' is paused for 1h\n"
    assert paused in range(3500, 3601)
    assert resumed == {"tube": "t", "paused": 0}
    assert after == 0


def test_put_takes_json_and_what_is_not_json_as_a_string(broker: Beanstalkd) -> None:
    given = ["n=1", "to=ada@example.org", "ids=[1, 2]", 'code="01"', "x=NaN", "empty="]
    options = ["--delay", 50, "--priority", 3, "--ttr", 9]

    done = operate(broker, "put", "t", "send", *given, *options)

    job_id = int(done.stdout)
    with broker.client() as client:
        job = json.loads(client.peek(job_id).body)
    assert job == {
        "func_name": "send",
        "tube": "t",
        "kwargs": {
            "n": 1,
            "to": "ada@example.org",
            "ids": [1, 2],
            "code": "01",
            "x": "NaN",
            "empty": "",
        },
    }
    stats = broker.stats_job(job_id)
    assert (stats["pri"], stats["delay"], stats["ttr"]) == (3, 50, 9)
    assert operate_json(broker, "put", "t", "send") == {"id": job_id + 1}


def test_what_is_put_is_run_by_a_worker(broker: Beanstalkd) -> None:
    ran = []

    @jobqueue.JobQueue(broker.url).task("t")
    def send(to: str) -> None:
        ran.append(to)

    operate(broker, "put", "t", "send", "to=ada")
    Worker(url=broker.url, burst=True).run()

    assert ran == ["ada"]


def test_a_job_too_big_is_one_line(broker: Beanstalkd) -> None:
    done = operate(broker, "put", "t", "send", f"text={'x' * 70_000}")

    assert done.returncode == 1
    assert "is too big" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("has_rich", [True, False])
def test_tables_in_a_terminal(
    broker: Beanstalkd, tmp_path: Path, *, has_rich: bool
) -> None:
    put(broker, 3)
    bury(broker, put(broker, 2, text="x" * 99))
    modules = "" if has_rich else without_rich(tmp_path)

    with Terminal(broker, "stats", size=(80, 24), modules=modules) as terminal:
        assert terminal.exit_code() == 0
        terminal.shows(f"beanstalkd {broker.version()}")
    with Terminal(broker, "list", "t", size=(80, 24), modules=modules) as listing:
        assert listing.exit_code() == 0
        listing.shows('n="xxx')

    assert has_rich == ("\x1b[" in terminal.raw)
    (line,) = (line for line in terminal.text.splitlines() if line.startswith("t "))
    assert columns(line) == ["t", "3", "0", "0", "2", "0", "0", "5", "-"]
    own = [line for line in terminal.text.splitlines() if "beanstalkd" not in line]
    lines = [line for line in listing.text.splitlines() if "send" in line]
    assert all(len(line) <= 80 for line in own + lines)
    assert [columns(line)[1] for line in lines] == ["ready"] * 3 + ["buried"] * 2


@pytest.mark.parametrize("has_rich", [True, False])
def test_progress_is_shown_in_a_terminal_and_taken_away(
    broker: Beanstalkd, tmp_path: Path, *, has_rich: bool
) -> None:
    put_buried(broker, 2000)
    modules = "" if has_rich else without_rich(tmp_path)
    command = ("clear", "t", "--state", "buried", "--yes")

    with Terminal(broker, *command, modules=modules) as terminal:
        assert terminal.exit_code() == 0
        terminal.shows("Deleted 2,000 jobs of tube 't'")

    assert "Deleting" in terminal.text
    assert broker.counts("t") == {}


def test_a_reader_that_wants_no_more_is_no_error(broker: Beanstalkd) -> None:
    put(broker, 2000)
    command = f"{sys.executable} -m jobqueue export t --url {broker.url} | head -n 1"

    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False
    )

    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_command_that_is_stopped_says_so(broker: Beanstalkd) -> None:
    put(broker)
    with Terminal(broker, "clear", "t", "--state", "ready") as terminal:
        terminal.shows("[y/N]")
        terminal.signal(signal.SIGINT)
        assert terminal.exit_code() == 128 + signal.SIGINT
        terminal.shows("jobqueue clear: error: stopped by SIGINT")

    assert broker.counts("t") == {"ready": 1}


def test_output_that_cannot_be_written_is_one_line(broker: Beanstalkd) -> None:
    put(broker, 100)

    for command in ("export", "list"):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*COMMAND, command, "t"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(broker),
                check=False,
            )
        *_, line = done.stderr.splitlines()
        assert done.returncode == 1
        assert line == (
            f"jobqueue {command}: error: [Errno 28] No space left on device"
        )
        assert "Traceback" not in done.stderr


def test_strings_and_terminals_of_any_encoding_do(
    broker: Beanstalkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    job = rb'{"func_name": "f", "tube": "t", "kwargs": {"a": "\ud800", "b": "\u4f60"}}'
    with broker.client("t") as client:
        job_id = client.put(job)

    assert "f a=" in operate(broker, "list", "t").stdout
    assert operate(broker, "show", job_id).returncode == 0
    (told,) = json_lines(operate(broker, "list", "t", "--json").stdout)
    assert told["kwargs"] == {"a": "\ud800", "b": "\u4f60"}


def test_the_benchmark_runs() -> None:
    require_beanstalkd()
    script = ROOT / "tests/benchmarks/admin.py"

    done = subprocess.run(
        [sys.executable, script, "--jobs", "600"],
        capture_output=True,
        text=True,
        check=True,
    )

    names = ("list", "export", "import", "clear, buried", "kick --all")
    assert all(f"\n{name} " in done.stdout for name in names)
