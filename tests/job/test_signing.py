"""Signed jobs: what is accepted, and what forgers, thieves and accidents make of it."""

import hashlib
import hmac
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue import BadJobError, JobQueue, OptionError, SignatureError
from jobqueue.job.body import Encoder, decode
from jobqueue.job.signing import Signing
from jobqueue.task.registry import subscriber
from jobqueue.worker.running.executor import Executor
from tests.helpers.reserved import Reserved, execute
from tests.helpers.strategies import json_objects, json_values

SECRET = "correct-horse-battery"
OTHER = "another-horse-battery"
BODY = Encoder("send", "t").encode({"n": 1, "to": "ä"})


def signature_of(body: bytes, secret: str = SECRET) -> str:
    """Return the signature as docs/why/security.md makes it, without jobqueue."""
    content = b"jobqueue v1\n" + body
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def signed(body: bytes = BODY, secret: str = SECRET) -> bytes:
    return Signing(secret).sign(body)


def test_signature() -> None:
    """The signature is the last key, and signs all bytes before it."""
    expected = b'%b,"signature":"%b"}' % (BODY[:-1], signature_of(BODY).encode())

    assert expected == signed()
    assert json.loads(BODY) | {"signature": signature_of(BODY)} == json.loads(signed())


@given(st.text(), st.text(), json_objects)
def test_any_signed_job(func_name: str, tube: str, kwargs: dict[str, object]) -> None:
    """Any signed job is accepted, and its message stays the same."""
    body = Encoder(func_name, tube).encode(kwargs)

    Signing(SECRET).check(signed(body))
    assert decode(body) == decode(signed(body))


def test_no_secret() -> None:
    """Without a secret nothing is signed, and every body is accepted."""
    signing = Signing()

    assert signing.sign(BODY) is BODY
    assert not signing.is_on
    for body in (BODY, signed(), b""):
        signing.check(body)


def test_several_secrets() -> None:
    """Any of several secrets is accepted, and the first one signs."""
    both = Signing([SECRET, OTHER.encode()])

    assert signed() == both.sign(BODY)
    both.check(signed(secret=SECRET))
    both.check(signed(secret=OTHER))
    with pytest.raises(SignatureError):
        both.check(signed(secret="a third one, which is not known".replace(" ", "_")))


def test_replacing_a_secret() -> None:
    """A secret can be replaced step by step, with each step accepting the next."""
    steps = [OTHER, f"{OTHER} {SECRET}", f"{SECRET} {OTHER}", SECRET]

    for before, after in itertools.pairwise(steps):
        Signing(before).check(Signing(after).sign(BODY))
        Signing(after).check(Signing(before).sign(BODY))


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (f"{SECRET}\n", SECRET),
        (SECRET.encode(), SECRET),
        ([f" {SECRET}", OTHER], f"{SECRET}\t{OTHER}\r\n"),
        ((SECRET,), SECRET),
        ("ä" * 8, ("ä" * 8).encode()),
    ],
)
def test_ways_to_write_a_secret(one: Any, same: Any) -> None:
    assert Signing(one).sign(BODY) == Signing(same).sign(BODY)


def test_bytes_are_one_secret() -> None:
    """Bytes are one secret, even with whitespace and NUL in them."""
    secret = b"\n two words\0\xff of bytes \n"

    Signing(secret).check(Signing([secret]).sign(BODY))


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is read when the first job is signed."""
    signing = Signing()
    monkeypatch.setenv("JOBQUEUE_SECRET", f"{SECRET} {OTHER}\n")

    assert signed() == signing.sign(BODY)
    signing.check(signed(secret=OTHER))
    assert signed(secret=OTHER) == Signing(OTHER).sign(BODY)  # the argument counts


def test_environment_not_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in the environment may be bytes that are not UTF-8."""
    monkeypatch.setenv("JOBQUEUE_SECRET", "\udcff" * 16)

    assert Signing(b"\xff" * 16).sign(BODY) == Signing().sign(BODY)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("", "is empty"),
        ([], "is empty"),
        (" \n", "is empty"),
        ([""], "is empty"),
        (b"", "is too short"),
        ("x" * 15, "is too short: 16 bytes are the least"),
        ([SECRET, "short"], "is too short"),
        ("a phrase of several words", "is too short"),
        (123, "has to be a str, bytes, or a list of these: no int"),
        ([None], "no NoneType"),
        ({SECRET}, "no set"),
        ("\ud800" * 16, "a lone surrogate"),
    ],
)
def test_wrong_secret(secret: Any, problem: str) -> None:
    """A weak or odd secret is refused at once."""
    with pytest.raises(OptionError, match=f"^secret .*{problem}"):
        JobQueue(secret=secret)


@pytest.mark.parametrize("secret", ["", " ", "short", f"{SECRET} short"])
def test_wrong_secret_in_the_environment(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A weak secret in the environment is refused at each put."""
    monkeypatch.setenv("JOBQUEUE_SECRET", secret)

    @JobQueue().task("t")
    def send() -> None: ...

    for _ in range(2):
        with pytest.raises(OptionError, match=r"^\$JOBQUEUE_SECRET is (empty|too sh)"):
            send.put()


def refusal(secret: Any) -> OptionError | None:
    try:
        Signing(secret)
    except OptionError as error:
        return error
    return None


@given(st.text(max_size=20) | st.binary(max_size=15), st.integers(0, 2))
def test_secrets_are_not_shown(secret: str | bytes, others: int) -> None:
    """No error and no repr shows a secret."""
    marked = b"s3cret" + secret if isinstance(secret, bytes) else f"s3cret{secret}"
    secrets = [marked, *[SECRET] * others]
    error = refusal(secrets)
    assert "s3cret" not in f"{error!r} {error.__cause__ if error else None!r}"
    queue = JobQueue(secret=SECRET if error else secrets)

    @queue.task("t")
    def send() -> None: ...

    task = subscriber.find("t", "send")
    assert task
    assert "s3cret" not in f"{queue!r}{task!r}{send!r}{vars(queue)}{vars(send)}"
    with pytest.raises(SignatureError) as raised:
        task.signing.check(signed(secret=OTHER))
    assert "s3cret" not in repr(raised.value)


def test_lazy_import() -> None:
    """hmac is imported only when there is a secret."""
    script = """
import sys
from jobqueue import JobQueue
from jobqueue.worker.running.executor import Executor
@JobQueue(secret="correct-horse-battery" if sys.argv[1:] else None).task("t")
def send(): ...
send._body((), {})
print("hmac" in sys.modules)
"""
    command = [sys.executable, "-c", script]

    assert subprocess.check_output(command) == b"False\n"
    assert subprocess.check_output([*command, "secret"]) == b"True\n"


# From here on: attacks. Each is a body that a worker with the secret must not run.


class Target:
    """A task that takes any arguments, of a queue with a secret, and its executor."""

    def __init__(self, executor: Executor) -> None:
        self.ran: list[dict[str, object]] = []
        self._executor = executor

        @JobQueue(secret=SECRET).task("t")
        def send(**kwargs: object) -> None:
            self.ran.append(kwargs)

    def refuses(self, body: bytes) -> str:
        error = execute(self._executor, Reserved(body)).error
        assert isinstance(error, BadJobError)
        assert self.ran == []
        text = str(error)
        assert SECRET not in text
        assert signature_of(BODY) not in text
        return text


@pytest.fixture
def target(executor: Executor) -> Target:
    return Target(executor)


def test_signed_job_runs(target: Target, executor: Executor) -> None:
    assert execute(executor, Reserved(signed())).error is None
    assert target.ran == [{"n": 1, "to": "ä"}]


def with_value(value: str) -> Callable[[], bytes]:
    return lambda: b'%b,"signature":%b}' % (BODY[:-1], value.encode())


GOOD = signature_of(BODY)
FULLWIDTH = {ord("0") + n: chr(0xFF10 + n) for n in range(10)}

FORGERIES: dict[str, Callable[[], bytes]] = {
    "no signature": lambda: BODY,
    "an empty body": lambda: b"",
    "another secret": lambda: signed(secret=OTHER),
    "a secret that is a part": lambda: signed(secret=SECRET[:-1]),
    "no context": lambda: signed_plainly(BODY),
    "an empty string": with_value('""'),
    "null": with_value("null"),
    "true": with_value("true"),
    "a number": with_value("1e999"),
    "a list": with_value(f'["{GOOD}"]'),
    "an object": with_value(f'{{"signature":"{GOOD}"}}'),
    "cut short": with_value(f'"{GOOD[:-1]}"'),
    "too long": with_value(f'"{GOOD}0"'),
    "zeros": with_value(f'"{"0" * 64}"'),
    "capital digits": with_value(f'"{GOOD.upper()}"'),
    "fullwidth digits": with_value(f'"{GOOD.translate(FULLWIDTH)}"'),
    "a space before": with_value(f' "{GOOD}"'),
    "a space after": with_value(f'"{GOOD}" '),
    "a line break after": lambda: signed() + b"\n",
    "a byte order mark": lambda: b"\xef\xbb\xbf" + signed(),
    "escaped digits": with_value(f'"\\u{ord(GOOD[0]):04x}{GOOD[1:]}"'),
    "huge": with_value(f'"{"a" * 60_000}"'),
    "twice": lambda: b'%b,"signature":"%b"}' % (signed()[:-1], GOOD.encode()),
    "first": lambda: b'{"signature":"%b",%b' % (GOOD.encode(), BODY[1:]),
    "the key in capitals": lambda: signed().replace(b"signature", b"Signature"),
    "the key escaped": lambda: signed().replace(b"signature", b"\\u0073ignature"),
    "inside of kwargs": lambda: BODY[:-2] + b',"signature":"%b"}}' % GOOD.encode(),
    "another function": lambda: signed().replace(b'"send"', b'"sent"'),
    "another argument": lambda: signed().replace(b'"n":1', b'"n":2'),
    "a second n before": lambda: signed().replace(b'"n":1', b'"n":2,"n":1'),
    "a second n after": lambda: signed().replace(b'"n":1', b'"n":1,"n":2'),
    "second kwargs": lambda: signed().replace(b',"sig', b',"kwargs":{},"sig'),
    "written with spaces": lambda: json.dumps(json.loads(signed())).encode(),
    "written in ASCII": lambda: signed().replace("ä".encode(), b"\\u00e4"),
    "a lone surrogate": lambda: signed().replace("ä".encode(), b"\\ud800"),
    "not UTF-8": lambda: signed().replace("ä".encode(), b"\xe4"),
    "UTF-16": lambda: signed().decode().encode("utf-16"),
    "a zero byte": lambda: signed().replace(b'"n"', b'"n\0"'),
    "nested too deeply": lambda: signed(b"[" * 30_000),
}


def signed_plainly(body: bytes) -> bytes:
    digits = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest().encode()
    return b'%b,"signature":"%b"}' % (body[:-1], digits)


@pytest.mark.parametrize("what", FORGERIES)
def test_forgeries(what: str, target: Target) -> None:
    target.refuses(FORGERIES[what]())


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"}",
        b"",
        b'{"func_name":"send","tube":"t"}',
        b'{"func_name":"send","tube":"t","kwargs":{},"x":1}',
        b'{"func_name":"send","tube":"t","kwargs":[]}',
        b'{"func_name":"print","tube":"t","kwargs":{}}',
        b'{"func_name":"send","tube":"u","kwargs":{}}',
    ],
)
def test_signed_but_not_a_job(body: bytes, target: Target) -> None:
    """A valid signature does not make a job of other bytes."""
    target.refuses(signed(body))


def test_errors(target: Target) -> None:
    """The error of an unsigned job is another than that of a wrongly signed one."""
    assert "it is not signed, as this task's jobs have to be" in target.refuses(BODY)
    assert "its signature is wrong" in target.refuses(signed(secret=OTHER))


SIGNED = [signed(Encoder("send", "t").encode({"n": n, "to": "ä"})) for n in range(3)]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Return a signed body with a random change."""
    body = draw(st.sampled_from(SIGNED))
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
    other = draw(st.sampled_from(SIGNED))
    return draw(
        st.sampled_from(
            [
                body[:start] + body[end:],  # cut out
                body[:start] + body[start:end] * 2 + body[end:],  # doubled
                body[:start] + body[start:end][::-1] + body[end:],  # reversed
                body[:start] + other[end:],  # spliced with another
                body[:start] + other[start:],
                body + other,
                body[start:end],
            ]
        )
        | st.binary().map(lambda some: body[:start] + some + body[end:])
        | json_values.map(
            lambda value: json.dumps(json.loads(body) | {"signature": value}).encode()
        )
    )


def test_any_bytes(executor: Executor, target: Target) -> None:
    """Of any bytes at all, only those run that were signed."""

    @given(mutations() | st.binary())
    def attack(body: bytes) -> None:
        if body in SIGNED:
            assert execute(executor, Reserved(body)).error is None
            target.ran.clear()
        else:
            target.refuses(body)

    attack()
