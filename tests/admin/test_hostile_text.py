"""What anybody may write into a job, and what a broker may answer, on the screen."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from jobqueue.admin.cli import main
from jobqueue.job.note_tubes import failures_tube
from tests.helpers.fake_broker import NOT_FOUND, FakeBroker
from tests.helpers.noted_failure import put_note
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import (
    COMMAND,
    Terminal,
    environment,
    operate,
    without_rich,
)

ESC = "\x1b[2J\x1b]0;mine\x07"
C1 = "\x9b2J\x9d0;x\x9c\x7f"
LINES = "x\u2028state     ready\x85job       99\u2029y\v\f\x1c"
BIDI = "\u202elive\u2066\u200f\ufeff"
EVIL = ESC + C1 + LINES + BIDI + "\r\nstate     ready\ud800"


def job(
    func_name: str = "f", kwargs: Mapping[str, object] | None = None, tube: str = "t"
) -> dict[str, object]:
    return {"func_name": func_name, "tube": tube, "kwargs": kwargs or {}}


def raw(content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False)
    return text.encode(errors="surrogatepass").replace(b"\xed\xa0\x80", b"\\ud800")


HOSTILE: dict[str, bytes] = {
    "value": raw(job(kwargs={"a": EVIL})),
    "escaped value": json.dumps(job(kwargs={"a": EVIL})).encode(),
    "argument": raw(job(kwargs={EVIL: 1})),
    "function": raw(job(EVIL)),
    "tube": raw(job(tube=EVIL)),
    "keys": raw({EVIL: EVIL}),
    "a string": raw(EVIL),
    "no JSON": EVIL.encode(errors="replace"),
    "no UTF-8": b"\xff\x9b2J\x1b[2J\r\n",
    "infinite": b'{"func_name":"f","tube":"t","kwargs":{"a":1e999,"b":-1e999}}',
    "no number": b'{"func_name":"f","tube":"t","kwargs":{"a":NaN}}',
    "key twice": b'{"func_name":"pay","func_name":"f","tube":"t","kwargs":{}}',
    "long": raw(job(kwargs={"a": "9" * 60_000})),
    "digits": b'{"func_name":"f","tube":"t","kwargs":{"a":%b}}' % (b"9" * 5_000),
    "byte order mark": b"\xef\xbb\xbf" + raw(job()),
    "UTF-16": '{"func_name":"f"}'.encode("utf-16"),
    "zeros": bytes(50),
    "empty": b"",
}


def assert_safe(text: str) -> None:
    """Check that the lines are only those that the command made."""
    assert text.replace("\n", "").isprintable(), repr(text)


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command in this process: there are many."""

    def run(url: str, *words: object) -> tuple[int, str, str]:
        status = main([*map(str, words), "--url", url])
        out, err = capsys.readouterr()
        assert_safe(out)
        assert_safe(err)
        assert len(err) < 1_500
        return status, out, err

    return run


def test_bodies(broker: Beanstalkd, command: Command) -> None:
    """Nothing of them is obeyed by a terminal, and what is called JSON always is."""
    ids = [broker.put(body) for body in HOSTILE.values()]

    status, out, _ = command(broker.url, "list", "t")
    assert status == 0
    assert len(out.splitlines()) == len(ids) + 1
    status, out, _ = command(broker.url, "list", "t", "--json")
    jobs = [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]
    assert [job["id"] for job in jobs] == ids
    for job_id in ids:
        status, out, _ = command(broker.url, "show", job_id)
        assert status == 0
        assert len(re.findall("^state ", out, re.MULTILINE)) == 1
        status, out, _ = command(broker.url, "show", job_id, "--json")
        assert json.loads(out, parse_constant=pytest.fail)["id"] == job_id


def test_notes(broker: Beanstalkd, command: Command) -> None:
    """Notes of failures are anybody's text, and what is no note is none."""
    put_note(broker, 99, func_name=EVIL[:-1], error=EVIL[:-1], text=EVIL[:-1])
    put_note(broker, 99, traceback=EVIL[:-1], kind="deleted", body=HOSTILE["no JSON"])
    for body in HOSTILE.values():
        broker.put(body, failures_tube("t"))

    for words in (["failures"], ["failures", "--job", 99], ["show", 99], ["show", 1]):
        status, out, err = command(broker.url, *words)
        assert err == ""
        assert status == 0
        assert len(re.findall(r"^state ", out, re.MULTILINE)) == (words[-1] == 1)
        status, out, _ = command(broker.url, *words, "--json")
        assert json.loads(out, parse_constant=pytest.fail)
    assert len(command(broker.url, "failures")[1].splitlines()) == 3


def test_bodies_go_out_and_in(broker: Beanstalkd) -> None:
    """An export and its import change no byte of them."""
    for body in HOSTILE.values():
        broker.put(body)
    exported = operate(broker, "export", "t").stdout
    assert_safe(exported)
    assert len(exported.splitlines()) == len(HOSTILE)
    assert operate(broker, "clear", "t", "--yes", "--state=ready").returncode == 0

    assert operate(broker, "import", stdin=exported.encode()).returncode == 0

    with broker.client("t") as client:
        bodies = [client.reserve(timeout=5).body for _ in HOSTILE]
    assert bodies == list(HOSTILE.values())


@pytest.mark.parametrize("has_rich", [True, False])
def test_terminal(broker: Beanstalkd, tmp_path: Path, *, has_rich: bool) -> None:
    """rich draws only what is safe, too."""
    modules = "" if has_rich else without_rich(tmp_path)
    for name in ("value", "function", "no JSON"):
        broker.put(HOSTILE[name])

    for arguments in (["list", "t"], ["show", 1], ["show", 3]):
        with Terminal(broker, *arguments, modules=modules) as terminal:
            assert terminal.exit_code() == 0
            terminal.shows("0;mine\\x07" if arguments[-1] == 3 else "0;mine")
            assert "\x1b]" not in terminal.raw
            assert "\x1b[2J" not in terminal.raw
            assert_safe(terminal.text)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932", "utf-16"])
def test_json_in_any_encoding(broker: Beanstalkd, encoding: str) -> None:
    text = "\xe9\U0001f600\u4e2d"
    broker.put(raw(job(kwargs={"a": text})))

    printed = subprocess.check_output(
        [*COMMAND, "list", "t", "--json"],
        env=environment(broker, PYTHONIOENCODING=encoding),
    )

    assert json.loads(printed.decode(encoding))["kwargs"] == {"a": text}


def test_forged_call(broker: Beanstalkd) -> None:
    """What is no name is shown as a string, so that it looks like no argument."""
    broker.put(raw(job("f a=1", {"b=2 c": 3})))

    assert ' "f a=1" "b=2 c"=3   77 ' in operate(broker, "list", "t").stdout


def test_key_that_is_there_twice(broker: Beanstalkd) -> None:
    """`show` shows the body as it is."""
    broker.put(HOSTILE["key twice"])

    assert operate(broker, "show", 1).stdout.endswith(
        '\n{"func_name":"pay","func_name":"f","tube":"t","kwargs":{}}\n'
    )


def test_lines_that_are_no_jobs(
    broker: Beanstalkd, command: Command, tmp_path: Path
) -> None:
    """The error does not quote megabytes, nor what a terminal obeys."""
    lines = [
        {"tube": "x" * 1_000_000, "body": ""},
        {"tube": EVIL, "body": ""},
        {"tube": "t", "body": "", "priority": [EVIL] * 10_000},
        {"tube": "t", "body": "", "delay": "9" * 1_000_000},
        {"tube": "t", "body_base64": EVIL},
    ]
    for line in lines:
        (tmp_path / "jobs").write_text(json.dumps(line))
        status, _, err = command(broker.url, "import", tmp_path / "jobs")
        assert status == 1
        assert "error: line 1: " in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["stats", EVIL[:-1]],
        ["stats", "--url", f"beanstalkd://{EVIL[:-1]}"],
        ["put", "t", EVIL[:-1]],
        ["put", "t", "f", EVIL[:-1]],
        ["import", f"/nowhere/{EVIL[:-1]}"],
        ["list", "t", "--state", EVIL[:-1]],
        [EVIL[:-1]],
        ["show", "9" * 100_000],
    ],
)
def test_words_of_the_command_line(broker: Beanstalkd, arguments: list[str]) -> None:
    done = operate(broker, *arguments)

    assert done.returncode in (1, 2)
    assert_safe(done.stderr)
    assert len(done.stderr) < 1_500


SERVER: dict[str, object] = {
    "current-jobs-ready": 1,
    "current-jobs-reserved": 0,
    "current-jobs-delayed": 0,
    "current-jobs-buried": 0,
    "cmd-put": 3,
    "max-job-size": 65535,
    "version": '"1.12"',
    "rusage-utime": "0.1",
    "rusage-stime": "0.2",
    "uptime": 1,
    "binlog-current-index": 0,
    "hostname": "h",
}
TUBE: dict[str, object] = {
    "name": "t",
    "current-jobs-ready": 1,
    "current-jobs-reserved": 0,
    "current-jobs-delayed": 0,
    "current-jobs-buried": 0,
}
JOB: dict[str, object] = {
    "id": 1,
    "tube": "t",
    "state": "ready",
    "pri": 1,
    "age": 1,
    "delay": 0,
    "ttr": 60,
    "time-left": 0,
    "reserves": 0,
    "timeouts": 0,
    "releases": 0,
    "buries": 0,
    "kicks": 0,
}
HUGE = 1_000_000
Content = Mapping[str, object] | bytes
LIES: list[tuple[str, Content]] = [
    *(("stats", {"uptime": value}) for value in (ESC, "9" * HUGE, -5, "1_0", "\u0661")),
    *(("stats", {"rusage-utime": value}) for value in ("nan", "inf", "1e999", ESC)),
    *(("stats", {"hostname": value}) for value in (ESC, C1, BIDI, "\\" * 9)),
    ("stats", {"version": ESC + C1}),
    ("stats", {"version": "9" * 5_000}),
    ("stats", {"cmd-put": 10**20 - 1}),
    ("stats", {"binlog-current-index": 10**19}),
    ("stats", b""),
    ("stats", b"\xff\xfe\0" * 10),
    *(("stats-tube", {"name": value}) for value in (ESC, "", "x" * HUGE, "a b", "-a")),
    ("stats-tube", {"current-jobs-ready": "9" * 30}),
    ("stats-tube", {"pause-time-left": "-" + "9" * 30}),
    *(("stats-job", {"tube": value}) for value in (ESC, '"\x1b[31m"', "\xff", "")),
    *(("stats-job", {"state": value}) for value in (ESC, "x" * HUGE, "running")),
    *(("stats-job", {"pri": value}) for value in (ESC, "9" * HUGE, "1.5")),
    ("stats-job", {"age": "9" * 4_000}),
    ("stats-job", {"id": 0}),
    ("stats-job", b"id: 1 2 3 4"),
    ("list-tubes", f"---\n- {ESC}\n".encode()),
    ("list-tubes", b"---\n- \xff\n"),
    ("list-tubes", b""),
]


def reply(content: Content) -> bytes:
    if not isinstance(content, bytes):
        lines = "".join(f"{key}: {value}\n" for key, value in content.items())
        content = f"---\n{lines}".encode()
    return b"OK %d\r\n%b\r\n" % (len(content), content)


def lying(path: Path, command: str, lie: Content) -> FakeBroker:
    truths: dict[str, Any] = {"stats": SERVER, "stats-tube": TUBE, "stats-job": JOB}
    truths["list-tubes"] = b"---\n- t\n"
    truth = truths[command]
    truths[command] = lie if isinstance(lie, bytes) else truth | lie
    broker = FakeBroker(path)
    for name, content in truths.items():
        broker.on(name.encode(), reply(content))
    for peek in (b"peek-delayed", b"peek-buried", b"peek-reserved"):
        broker.on(peek, NOT_FOUND)
    body = raw(job())
    for name in ("peek", "peek-ready"):
        broker.on(name.encode(), b"FOUND 1 %d\r\n%b\r\n" % (len(body), body))
    return broker.on(b"delete", b"DELETED\r\n").on(b"pause-tube", b"PAUSED\r\n")


@pytest.mark.parametrize(("asked", "lie"), LIES, ids=lambda value: str(value)[:30])
def test_replies(
    socket_folder: Path, command: Command, asked: str, lie: Content
) -> None:
    """Any bytes at all from a broker are a value, or one clear error."""
    uses = {
        "stats": ["stats", "stats --json", "export t"],
        "stats-tube": ["stats t", "stats t --json", "pause t 5"],
        "stats-job": ["show 1", "show 1 --json", "list t"],
        "list-tubes": ["stats", "stats --json"],
    }
    with lying(socket_folder / "f.sock", asked, lie) as broker:
        for words in uses[asked]:
            status, out, err = command(broker.url, *words.split())
            if status:
                assert status == 1
                (line,) = [line for line in err.splitlines() if ": error: " in line]
                assert "makes no sense here" in line
            elif "--json" in words:
                json.loads(out, parse_constant=pytest.fail)
