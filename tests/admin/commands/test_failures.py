"""Why jobs failed: on the screen, and as a filter of what is done to them."""

import json
import re
from pathlib import Path

import pytest

from tests.helpers.noted_failure import put_note
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import (
    Terminal,
    body,
    json_lines,
    operate,
    operate_json,
    put,
    put_buried,
    without_rich,
)

EVIL = "a\x1b[2Jb\nJOB  99\u202ec"


@pytest.fixture
def jobs(broker: Beanstalkd) -> list[int]:
    """Return three buried jobs: one of f, two of send, one of these with a time-out."""
    ids = put_buried(broker, 3)
    put_note(broker, ids[0], error="Timeout", ago=7300)
    put_note(broker, ids[1], ago=100)
    put_note(broker, ids[2], error="Timeout", text=EVIL, ago=5)
    put_note(broker, ids[2], error="Timeout", kind="retried", ago=9)
    return ids


def test_groups(broker: Beanstalkd, jobs: list[int]) -> None:
    done = operate(broker, "failures", "t")
    values = operate_json(broker, "failures")

    head, timeout, error = [line.split() for line in done.stdout.splitlines()]
    titles = "TUBE FUNCTION ERROR FAILED BURIED RETRIED FIRST LAST JOB TEXT"
    assert head == titles.split()
    assert timeout[:7] == ["t", "send", "Timeout", "2", "2", "1", "2h"]
    assert timeout[8] == str(jobs[2])
    assert error[:6] == ["t", "send", "ValueError", "1", "1", "0"]
    assert [group["failed"] for group in values["failures"]] == [2, 1]
    assert values["failures"][0]["last_text"] == EVIL
    other = operate(broker, "failures", "other")
    assert (other.returncode, other.stderr) == (1, "No such failure is noted\n")


def test_none(broker: Beanstalkd) -> None:
    done = operate(broker, "failures")

    assert (done.returncode, done.stderr) == (1, "No failure is noted\n")


def test_one_job(broker: Beanstalkd, jobs: list[int]) -> None:
    done = operate(broker, "failures", "--job", jobs[2])
    shown = operate(broker, "show", jobs[2])
    (first, last) = operate_json(broker, "failures", "--job", jobs[2])["failures"]

    assert done.stdout.count("Traceback (most recent call last):") == 2
    assert "outcome   released, to be tried again, after attempt 1\n" in done.stdout
    assert "error     Timeout: a\\x1b[2Jb\\nJOB  99\\u202ec\n" in shown.stdout
    assert shown.stdout.endswith("\n\n  Traceback (most recent call last):\n    ...\n")
    assert (first["kind"], last["kind"]) == ("retried", "buried")
    assert operate_json(broker, "show", jobs[2])["failure"] == last
    assert "no failure of job 99" in operate(broker, "failures", "--job", 99).stderr


def test_deleted_job(broker: Beanstalkd) -> None:
    """It is shown from its note, and put again."""
    put_note(broker, 7, kind="deleted", body=body())

    shown = operate(broker, "show", 7)
    again = operate_json(broker, "put", "--failed", 7)

    assert "deleted: it had been kicked too often" in shown.stdout
    assert json.loads(shown.stdout.rpartition("\n\n")[2]) == json.loads(body())
    assert operate_json(broker, "show", again["id"])["body"] == body().decode()
    none = operate(broker, "put", "--failed", 7)
    assert none.returncode == 1
    assert "no failure of job 7 has its body" in none.stderr


def test_list(broker: Beanstalkd, jobs: list[int]) -> None:
    done = operate(broker, "list", "t", "--state", "buried")
    found = json_lines(
        operate(broker, "list", "t", "--json", "--error", "Timeout").stdout
    )

    head, first, *_ = [line.split() for line in done.stdout.splitlines()]
    assert head[4:7] == ["FAILED", "WHY", "CALL"]
    assert first[4:11] == ["2h", "Timeout:", "no", "such", "address", "send", "n=0"]
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 4
    assert [job["id"] for job in found] == [jobs[0], jobs[2]]
    assert (found[0]["error"], found[1]["error_text"]) == ("Timeout", EVIL)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--error", "Timeout"], [0, 2]),
        (["--error", "Timeout", "--since", "1h"], [2]),
        (["--since", "1h"], [1, 2]),
        (["--func", "send", "--containing", '"n": 1'], [1]),
        (["--func", "f"], []),
    ],
)
def test_filters(
    broker: Beanstalkd, jobs: list[int], filters: list[str], expected: list[int]
) -> None:
    """They mean the same jobs in each command; a dry run does nothing."""
    ids = [jobs[n] for n in expected]
    exported = json_lines(operate(broker, "export", "t", *filters).stdout)
    dry = ["--dry-run", "--state", "buried"]

    assert operate_json(broker, "kick", *filters, "--dry-run").get("would_kick") == ids
    assert operate_json(broker, "delete", *filters, "--dry-run")["would_delete"] == ids
    assert operate_json(broker, "clear", "t", *filters, *dry)["would_clear"] == ids
    assert [job["id"] for job in exported] == ids
    assert broker.counts("t") == {"buried": 3}

    kicked = operate(broker, "kick", "t", *filters, "--yes")
    assert kicked.returncode == (0 if ids else 1)
    states = [broker.stats_job(job_id)["state"] for job_id in jobs]
    assert states == ["ready" if job_id in ids else "buried" for job_id in jobs]


@pytest.mark.usefixtures("jobs")
def test_jobs_without_a_note(broker: Beanstalkd) -> None:
    """No --error and no --since can find them: each command says how many there are."""
    put_buried(broker, 2)
    put(broker, 3)
    said = (
        "Left out: 2 buried jobs have no note of why. Workers keep notes of a tube's "
    )
    said += "last failures only (--failures-kept)\n"
    error = ("--error", "Timeout")

    for words in ("failures", "failures t", "list t", "list t --json", "export t"):
        done = operate(broker, *words.split(), *(() if "fail" in words else error))
        assert done.stderr.endswith(said), words
    for words in ("kick", "delete --tube t", "clear t --state buried"):
        done = operate(broker, *words.split(), *error, "--dry-run")
        assert done.stderr == said, words
    for words in ("list t", "list t --func send", "failures t --since 9h"):
        assert operate(broker, *words.split()).stderr == ""
    ready = operate(broker, "list", "t", "--state", "ready", *error)
    assert ready.stderr == ""


@pytest.mark.usefixtures("jobs")
def test_question(broker: Beanstalkd) -> None:
    """It is asked before several jobs are changed, and a script has to say --yes."""
    command = ("delete", "--error", "Timeout")

    in_a_pipe = operate(broker, *command)
    with Terminal(broker, *command) as terminal:
        terminal.shows("Delete 2 buried jobs of tube 't' for good? [y/N]")
        terminal.types("n\n")
        assert terminal.exit_code() == 1
    one = operate(broker, "delete", "--error", "ValueError")

    assert in_a_pipe.returncode == 2
    assert "give --yes to delete more than one job" in in_a_pipe.stderr
    assert one.stdout == "Deleted 1 buried job of tube 't'\n"
    assert broker.counts("t") == {"buried": 2}
    left = operate(broker, "clear", "t", "--state=buried", "--error=Timeout", "--yes")
    assert left.stdout == "Deleted 2 jobs of tube 't'\n"
    assert operate(broker, "failures").stdout == ""


def test_kick_all(broker: Beanstalkd, jobs: list[int]) -> None:
    """A dry run only counts; on a terminal there is a question."""
    dry = ("kick", "t", "--dry-run")
    assert operate(broker, *dry, "--all").stdout == "Would kick 3 jobs\n"
    assert operate_json(broker, *dry, "--count", 2) == {"kicked": 0, "count": 2}
    by_id = operate(broker, "kick", "--job", *jobs[:2], "--dry-run")
    assert by_id.stdout == "Would kick 2 jobs: 1, 2\n"
    assert broker.counts("t") == {"buried": 3}

    with Terminal(broker, "kick", "t", "--all") as terminal:
        terminal.shows("Kick 3 buried jobs of tube 't'? [y/N]")
        terminal.types("y\n")
        assert terminal.exit_code() == 0
    assert broker.counts("t") == {"ready": 3}


def kick_and_bury(broker: Beanstalkd, job_id: int, times: int) -> None:
    with broker.client("t") as client:
        for _ in range(times):
            client.kick_job(job_id)
            client.bury(client.reserve_job(job_id))


def test_last_kick(broker: Beanstalkd) -> None:
    """A kick warns of jobs that are deleted if they fail once more: see their notes."""
    last, other, unlimited = put_buried(broker, 3)
    put_note(broker, last, last_kick=True)
    put_note(broker, other, last_kick=False)
    kick_and_bury(broker, unlimited, 5)
    put_note(broker, unlimited, kicks=5, last_kick=False)
    warning = "For 1 job it is the last kick: if it fails again, such a job is deleted"

    dry = operate(broker, "kick", "t", "--func", "send", "--dry-run")
    dry_all = operate(broker, "kick", "t", "--all", "--dry-run")
    shown = operate(broker, "show", last)
    with Terminal(broker, "kick", "t", "--all", size=(150, 24)) as terminal:
        terminal.shows(f"Kick 3 buried jobs of tube 't'? {warning} ({last}). [y/N]")
        terminal.types("y\n")
        assert terminal.exit_code() == 0
        terminal.shows(f"{warning} ({last})\n")

    assert dry.stderr == dry_all.stderr == f"{warning} ({last})\n"
    assert "kicks     0; the next one is its last" in shown.stdout


def test_last_kick_without_a_note(broker: Beanstalkd) -> None:
    """A kick warns by the default of max_kicks, and says so."""
    (job_id,) = put_buried(broker)
    put_note(broker, job_id, last_kick=False)  # from before its kicks
    kick_and_bury(broker, job_id, 2)
    warning = (
        "For 1 job it is kick 3 or later: if it fails again, such a job is deleted, "
        f"unless its task has another max_kicks ({job_id})\n"
    )

    dry = operate(broker, "kick", "t", "--func", "send", "--dry-run")
    by_id = operate(broker, "kick", "--job", job_id, "--dry-run")
    done = operate(broker, "kick", "t", "--all")

    assert dry.stderr == by_id.stderr == warning
    assert done.stdout == "Kicked 1 job of tube 't'\n"
    grant = "A kicked job may be retried, or crash its worker, as often as a new job\n"
    assert done.stderr == grant + warning


@pytest.mark.usefixtures("jobs")
def test_wrong_use(broker: Beanstalkd) -> None:
    for words, error in {
        "kick t --all --func f": "or --count N, or what the jobs have",
        "kick --job 1 --func f": "give either --job ID..., or a tube",
        "delete": "give the ids of jobs, or what the jobs have",
        "failures t --job 1": "give either --job ID, or a tube",
        "list t --since 2": "'2' is not a time like 90s, 30m, 2h, 7d or 4w",
        "list jobqueue.failures/t": "holds notes of failures, and no jobs",
        "clear jobqueue.failures/t --state ready --yes": "holds notes of failures",
        "export jobqueue.failures/t": "holds notes of failures",
        "stats jobqueue.retries/t": "holds notes of failures",
        "put --failed 1 t f": "give either --failed ID, or a tube and a function",
        "put t": "required: TUBE, FUNC",
    }.items():
        done = operate(broker, *words.split())
        assert done.returncode == 2, words
        assert error in done.stderr


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("has_rich", [True, False])
def test_narrow_terminals(
    broker: Beanstalkd, tmp_path: Path, *, has_rich: bool
) -> None:
    """Columns are left out; no number is cut, and no line wraps."""
    modules = "" if has_rich else without_rich(tmp_path)
    width = 45
    size = (width, 24)
    for words in ("stats t", "list t", "failures"):
        with Terminal(broker, *words.split(), size=size, modules=modules) as terminal:
            assert terminal.exit_code() == 0
            terminal.shows("BURIED" if words != "list t" else "WHY")
        lines = terminal.text.splitlines()
        head = next(n for n, line in enumerate(lines) if re.search("TUBE|ID ", line))
        table = [re.sub(r".*%\)", "", line) for line in lines[head:] if line]
        assert max(map(len, table)) <= width, table
        rows = [line for line in table[1:] if "beanstalkd" not in line]
        assert words == "stats t" or {len(line.split()[0]) for line in rows} == {1}
