"""Options before, between and after the words of a command."""

import json

import pytest

from jobqueue.admin.arguments import make_parser
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import operate, put


@pytest.mark.parametrize(
    "words",
    [
        "put t f a=1 b=2 --delay 60 --json",
        "put --delay 60 --json t f a=1 b=2",
        "put t --delay 60 f --json a=1 b=2",
        "put t f a=1 --delay=60 b=2 --json",
        "--json put t f --delay 60 a=1 -- b=2",
        "--json put t f --delay 60 -- a=1 b=2",
        "put t f a=1 --json b=2 --delay 60",
    ],
)
def test_put(words: str) -> None:
    options = make_parser("1").parse_args(words.split())

    assert (options.tube, options.func_name) == ("t", "f")
    assert options.arguments == ["a=1", "b=2"]
    assert (options.delay, options.json, options.url) == (60, True, None)


@pytest.mark.parametrize(
    "words",
    [
        "--url unix:/s stats a b",
        "--url=unix:/s stats a b",
        "stats --url unix:/s a b",
        "stats a --url unix:/s b",
        "stats a b --url=unix:/s",
        "--url unix:/other stats a b --url unix:/s",
    ],
)
def test_url(words: str) -> None:
    options = make_parser("1").parse_args(words.split())

    assert (options.url, options.json) == ("unix:/s", False)
    assert options.tubes == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kick --job 1 2 --json", {"ids": [1, 2], "tube": None, "json": True}),
        ("kick --json --job 1 2", {"ids": [1, 2], "tube": None, "json": True}),
        ("kick --all t", {"tube": "t", "all": True}),
        ("kick --count 2 t", {"tube": "t", "count": 2}),
        ("delete 1 --json 2 --url u 3", {"ids": [1, 2, 3], "url": "u"}),
        ("clear --state ready t --state buried", {"states": ["ready", "buried"]}),
        ("pause t --json 5", {"tube": "t", "seconds": 5}),
        ("import --from-line 3 -", {"file": "-", "from_line": 3}),
        ("import - --from-line 3", {"file": "-", "from_line": 3}),
        ("stats --", {"tubes": []}),
        ("put t f", {"arguments": []}),
        ("put t f -- --x=1", {"arguments": ["--x=1"]}),
    ],
)
def test_any_order(words: str, expected: dict[str, object]) -> None:
    options = vars(make_parser("1").parse_args(words.split()))

    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("put t f --dely 60 x=1", "unrecognized arguments: --dely"),
        ("put t f a=1 --delay --json", "--delay: expected one argument"),
        ("stats a --nope b", "unrecognized arguments: --nope"),
        ("resume a b", "unrecognized arguments: b"),
        ("pause t -5", "'-5' is not a whole number from 0"),
        ("delete 1 -2", "'-2' is not a whole number from 0"),
        ("list --json", "the following arguments are required: TUBE"),
    ],
)
def test_errors_name_the_help(
    words: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error points to the help of the command that it is about."""
    with pytest.raises(SystemExit) as exit_:
        make_parser("1").parse_args(words.split())

    command = words.split(maxsplit=1)[0]
    said = capsys.readouterr().err
    assert exit_.value.code == 2
    assert error in said
    assert said.startswith(f"jobqueue {command}: error: ")
    assert said.endswith(f" (see jobqueue {command} --help)\n")


def test_errors_of_the_command_name_its_help(broker: Beanstalkd) -> None:
    done = operate(broker, "kick", "t")
    assert done.stderr.endswith(" (see jobqueue kick --help)\n")

    done = operate(broker, "--nope")
    assert done.stderr.endswith(" (see jobqueue --help)\n")


def test_options_between_words_count(broker: Beanstalkd) -> None:
    done = operate(broker, "--json", "put", "t", "f", "a=1", "--delay", "60", "b=2")

    assert broker.counts("t") == {"delayed": 1}
    shown = operate(broker, "show", json.loads(done.stdout)["id"], "--json").stdout
    assert json.loads(json.loads(shown)["body"])["kwargs"] == {"a": 1, "b": 2}
    put(broker, tube="u")
    done = operate(broker, "stats", "t", "--json", "u")
    assert [tube["tube"] for tube in json.loads(done.stdout)["tubes"]] == ["t", "u"]
