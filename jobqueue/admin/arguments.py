"""The options of the operator's commands, and their help."""

import argparse
import math
from collections.abc import Callable
from typing import Any, NoReturn

from jobqueue.admin.commands import change as acting
from jobqueue.admin.commands import inspect as looking
from jobqueue.admin.session import Session
from jobqueue.broker.address import without_passwords
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.stats import JobState

PROGRAM = "jobqueue"

_MOST_DIGITS = 20  # of a job's id
_SHORTEST, _LONGEST = 0.1, 3600  # seconds between two looks

EXAMPLES = """\
examples:
  jobqueue stats                         what is waiting, what failed
  jobqueue list emails --state buried    which jobs failed
  jobqueue show 17                       why: all about one of them
  jobqueue kick emails --all             have all that failed tried again
  jobqueue top                           watch it happen

Exit status: 0 when it was done; 1 when what is named was not found, there was
nothing to do, or the broker is away; 2 for a wrong command line; 128 and the
signal's number when one ended it half-way. `jobqueue COMMAND --help` says more.
"""

JSON_HELP = """\
With --json:
  stats   {"server": {...}, "tubes": [{"tube": ..., "ready": ..., ...}, ...]}
  top     the same, a line for each moment, with puts_per_second and others
  list    a line for each job: id, tube, state, priority, age, delay, ttr,
          time_left, reserves, timeouts, releases, buries, kicks, func_name
          and kwargs (null if the body is not a job's)
  show    the same with the body, as in an export
  kick    {"kicked": 3}, and with --job "not_kicked": [ids]
  delete  {"deleted": 3, "not_deleted": [ids]}
  clear   {"cleared": 3, "reserved": 0, "left": 0}
  pause, resume   {"tube": "emails", "paused": 60}
  put     {"id": 17}
  import  {"put": 3, "next_line": null, "unconfirmed": 0}
Times are whole seconds. Keys may be added, but none is renamed or dropped.
"""

PUT_HELP = """\
A value is JSON if it can be read as JSON, else a string: n=1 is a number, and
to=ada, when=2026-01-01 and x=NaN are strings. To make a string of what is JSON,
quote it twice: code='"0123"' or flag='"true"'.

examples:
  jobqueue put emails send to=ada@example.org subject="Hello, Ada"
  jobqueue put reports build 'ids=[1, 2]' draft=true --delay 60
"""

CLEAR_HELP = """\
Asks first on a terminal; a script gives --yes. Reserved jobs can be deleted by
their workers only: with --state reserved it is said how many they are.

examples:
  jobqueue clear emails --state buried
  jobqueue clear emails --state ready --state delayed --yes
"""

EXPORT_HELP = """\
Changes nothing. A line has what beanstalkd counts of a job, with the keys of
`list --json`, and the body: as "body" if it is UTF-8, else as "body_base64".
"delay" is how many seconds are left of it. A job that starts or ends meanwhile
may be missing: pause the tube first.

example:
  jobqueue pause emails 3600 && jobqueue export emails > jobs.jsonl
"""

IMPORT_HELP = """\
Puts each job into its tube, with its priority, its ttr and what was left of its
delay. Ids and counts start anew. Buried jobs are buried again (they are put
with a delay of an hour first, so that no worker gets them).
Jobs that were reserved are ready.

When it stops half-way (at a line that can't be read, at Ctrl-C, without the
broker), it says how many jobs were put, and at which line to go on:
  jobqueue import --from-line 1201 jobs.jsonl
"""

KICK_HELP = """\
Only buried jobs are kicked, oldest burial first with --count. (beanstalkd's own
kick would take delayed jobs when none is buried.)

examples:
  jobqueue kick emails --all
  jobqueue kick --job 17 18
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit."""
        self.exit(2, f"{self.prog}: error: {without_passwords(message)}\n")


class _Commands:
    """Adds commands, each with the options that all have."""

    def __init__(self, parser: Parser) -> None:
        self._commands = parser.add_subparsers(
            dest="command", metavar="COMMAND", required=True, parser_class=Parser
        )

    def add(
        self, name: str, run: Callable[[Session], int], does: str, epilog: str = ""
    ) -> Callable[..., Any]:
        """Add a command, and return how to add arguments to it."""
        parser = self._commands.add_parser(
            name,
            help=does[0].lower() + does[1:].rstrip("."),
            description=does,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        parser.set_defaults(run=run)
        parser.add_argument(
            "--url",
            help="the broker (default: $BEANSTALKD_URL, else "
            "beanstalkd://127.0.0.1:11300)",
        )
        parser.add_argument(
            "--json", action="store_true", help="print JSON (see jobqueue --help)"
        )
        return parser.add_argument


def parser(version: str) -> Parser:
    """Return the parser of the command line."""
    whole = Parser(
        prog=PROGRAM,
        description="See what is waiting on a beanstalkd and what failed, and "
        "get it going again.",
        epilog=f"{EXAMPLES}\n{JSON_HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.add_argument("--version", action="version", version=f"jobqueue {version}")
    commands = _Commands(whole)
    _add_looking(commands)
    _add_acting(commands)
    _add_transfer(commands)
    return whole


def _add_looking(commands: _Commands) -> None:
    add = commands.add("stats", looking.stats, "Show the counts of tubes.")
    add("tubes", nargs="*", metavar="TUBE", help="a tube (default: all)")
    add = commands.add("top", looking.top, "Show the counts of tubes, live.")
    add(
        "--interval",
        type=_interval,
        default=2.0,
        metavar="S",
        help="seconds between two looks (default: 2)",
    )
    add = commands.add("list", looking.list_jobs, "Show the jobs of a tube.")
    _add_tube(add)
    _add_states(add, required=False, choices=list(JobState))
    add("--limit", type=_count, metavar="N", help="show no more than N jobs")
    add = commands.add("show", looking.show, "Show everything about one job.")
    add("id", type=_number, metavar="ID")


def _add_acting(commands: _Commands) -> None:
    add = commands.add("kick", acting.kick, "Make buried jobs ready.", KICK_HELP)
    _add_tube(add, nargs="?")
    add("--all", action="store_true", help="all that are buried")
    add("--count", type=_count, metavar="N", help="those that were buried first")
    add("--job", type=_number, nargs="+", dest="ids", metavar="ID", help="these jobs")
    add = commands.add("delete", acting.delete, "Delete jobs.")
    add("ids", type=_number, nargs="+", metavar="ID")
    add = commands.add("clear", acting.clear, "Delete jobs by state.", CLEAR_HELP)
    _add_tube(add)
    _add_states(add, required=True, choices=list(JobState))
    add("--yes", action="store_true", help="don't ask")
    add = commands.add("pause", acting.pause, "Hand out no jobs for a while.")
    _add_tube(add)
    add("seconds", type=_number, metavar="SECONDS")
    add = commands.add("resume", acting.resume, "Hand out jobs again.")
    _add_tube(add)
    add = commands.add("put", acting.put, "Put a job, to try things out.", PUT_HELP)
    _add_tube(add)
    add("func_name", metavar="FUNC", help="the name of the task's function")
    add("arguments", nargs="*", metavar="NAME=VALUE", help="its arguments")
    _add_put_options(add, PutOptions())


def _add_put_options(add: Callable[..., Any], usual: PutOptions) -> None:
    add(
        "--delay",
        type=_number,
        default=usual.delay,
        metavar="S",
        help="seconds until it is ready (default: %(default)s)",
    )
    add(
        "--priority",
        type=_number,
        default=usual.priority,
        metavar="N",
        help="0 is the most urgent (default: %(default)s)",
    )
    add(
        "--ttr",
        type=_number,
        default=usual.ttr,
        metavar="S",
        help="seconds that a worker has for it (default: %(default)s)",
    )


def _add_transfer(commands: _Commands) -> None:
    add = commands.add(
        "export", looking.export, "Write jobs as lines of JSON.", EXPORT_HELP
    )
    _add_tube(add)
    _add_states(add, required=False, choices=list(JobState))
    add = commands.add(
        "import", acting.import_jobs, "Put the jobs of an export.", IMPORT_HELP
    )
    add("file", nargs="?", metavar="FILE", help="what to read (default: stdin)")
    add(
        "--from-line",
        type=_count,
        default=1,
        metavar="N",
        help="leave out the lines before",
    )


def _add_tube(add: Callable[..., Any], nargs: str | None = None) -> None:
    add("tube", nargs=nargs, metavar="TUBE")


def _add_states(
    add: Callable[..., Any], *, required: bool, choices: list[JobState]
) -> None:
    add(
        "--state",
        action="append",
        default=[],
        dest="states",
        required=required,
        choices=[state.value for state in choices],
        help="ready, delayed, reserved or buried; repeatable"
        + ("" if required else " (default: all)"),
    )


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")


def _count(text: str) -> int:
    if (
        text.isascii()
        and text.isdigit()
        and 0 < len(text) <= _MOST_DIGITS
        and int(text)
    ):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if _SHORTEST <= seconds <= _LONGEST:
        return seconds
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a number of seconds from {_SHORTEST} to {_LONGEST}"
    )
