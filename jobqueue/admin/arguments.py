"""The commands of ``jobqueue`` and their options."""

from jobqueue.admin import help as texts
from jobqueue.admin.command_adder import PROGRAM, CommandAdder, add_common
from jobqueue.admin.commands import change, inspect, transfer
from jobqueue.admin.commands.failures import failures
from jobqueue.admin.commands.kick import kick
from jobqueue.admin.commands.put import put
from jobqueue.admin.commands.schedules import schedules
from jobqueue.admin.commands.web import web
from jobqueue.admin.shared_arguments import (
    add_asking,
    add_filters,
    add_put_options,
    add_schedule_action,
    add_states,
    add_tube,
)
from jobqueue.admin.web_arguments import add_web
from jobqueue.broker.put_options import PutOptions
from jobqueue.command_line import (
    CommandLineParser,
    HelpFormatter,
    seconds_between,
    whole_number_from,
)

_MIN_INTERVAL, _MAX_INTERVAL = 0.1, 3600  # seconds between two samples of top

_number = whole_number_from(0)
_count = whole_number_from(1)
_interval = seconds_between(_MIN_INTERVAL, _MAX_INTERVAL)


def make_parser(version: str) -> CommandLineParser:
    """Return the parser of the command line."""
    parser = CommandLineParser(
        prog=PROGRAM,
        description=texts.DESCRIPTION,
        epilog=texts.OVERVIEW,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"jobqueue {version}")
    add_common(parser, None, as_json=False)
    commands = CommandAdder(parser)
    commands.mention("worker", "run the jobs of tubes")
    commands.mention("devserver", "run an in-memory beanstalkd, for development")
    _add_inspect(commands)
    _add_failures(commands)
    _add_schedules(commands)
    _add_change(commands)
    _add_put(commands)
    _add_transfer(commands)
    _add_web(commands)
    return parser


def _add_inspect(commands: CommandAdder) -> None:
    add = commands.add(
        "stats",
        inspect.stats,
        "Show the counts of tubes.",
        texts.STATS,
        is_about_output=True,
    )
    add("tubes", nargs="*", metavar="TUBE", help="a tube (default: all tubes)")
    add = commands.add(
        "top",
        inspect.top,
        "Show the counts of tubes, live.",
        texts.TOP,
        is_about_output=True,
    )
    add(
        "--interval",
        type=_interval,
        default=2.0,
        metavar="S",
        help="seconds between two samples (default: 2)",
    )
    _add_jobs(commands)


def _add_jobs(commands: CommandAdder) -> None:
    add = commands.add(
        "list",
        inspect.list_jobs,
        "Show the jobs of a tube.",
        texts.LIST,
        is_about_output=True,
    )
    add_tube(add)
    add_states(add, required=False)
    add(
        "--limit",
        type=_count,
        metavar="N",
        help=f"show N jobs at most (default: {inspect.DEFAULT_LIMIT}; no limit with "
        "--json)",
    )
    add_filters(add)
    add = commands.add(
        "show",
        inspect.show,
        "Show the counts and the body of a job.",
        texts.SHOW,
        is_about_output=True,
    )
    add("id", type=_number, metavar="ID", help="the job's id")


def _add_failures(commands: CommandAdder) -> None:
    add = commands.add(
        "failures",
        failures,
        "Show why jobs failed, in groups.",
        texts.FAILURES,
        is_about_output=True,
    )
    add_tube(add, nargs="?")
    add("--job", type=_number, metavar="ID", help="show the failures of this job")
    add_filters(add, containing="this text in the error or the traceback")


def _add_schedules(commands: CommandAdder) -> None:
    add = commands.add(
        "schedules",
        schedules,
        "Show the periodic tasks, and when they are due.",
        texts.SCHEDULES,
        is_about_output=True,
    )
    add_schedule_action(add)


def _add_change(commands: CommandAdder) -> None:
    add = commands.add(
        "kick", kick, "Make buried jobs ready: have them run again.", texts.KICK
    )
    add_tube(add, nargs="?")
    add("--all", action="store_true", help="kick all buried jobs of the tube")
    add("--count", type=_count, metavar="N", help="kick the N that were buried first")
    add(
        "--job",
        type=_number,
        nargs="+",
        dest="ids",
        metavar="ID",
        help="kick these jobs, of any tube",
    )
    add_filters(add)
    add_asking(add)
    add = commands.add("delete", change.delete, "Delete jobs by id.", texts.DELETE)
    add("ids", type=_number, nargs="*", metavar="ID", help="a job's id")
    add(
        "--tube",
        metavar="TUBE",
        help="delete jobs of this tube, with --func and others",
    )
    add_filters(add)
    add_asking(add)
    add = commands.add("clear", change.clear, "Delete jobs by state.", texts.CLEAR)
    add_tube(add)
    add_states(add, required=True)
    add_filters(add)
    add_asking(add)
    add = commands.add(
        "pause", change.pause, "Hand out no jobs of a tube for a while.", texts.PAUSE
    )
    add_tube(add)
    add("seconds", type=_number, metavar="SECONDS", help="how long")
    add = commands.add("resume", change.resume, "End the pause of a tube.")
    add_tube(add)


def _add_put(commands: CommandAdder) -> None:
    add = commands.add("put", put, "Put a job of a task.", texts.PUT)
    add_tube(add, nargs="?")
    add(
        "func_name",
        nargs="?",
        metavar="FUNC",
        help="the name of the task's function",
    )
    add(
        "--failed",
        type=_number,
        metavar="ID",
        help="put this job again, which was deleted for its kicks",
    )
    add("arguments", nargs="*", metavar="NAME=VALUE", help="an argument of the task")
    add(
        "--import",
        action="append",
        default=[],
        dest="modules",
        metavar="MODULE",
        help="a module with the task, as in app.tasks: the name and the arguments are "
        "checked as by a put in code; repeatable",
    )
    add_put_options(add, PutOptions())


def _add_transfer(commands: CommandAdder) -> None:
    add = commands.add(
        "export",
        transfer.export,
        "Write the jobs of a tube as lines of JSON.",
        texts.EXPORT,
        is_about_output=True,
    )
    add_tube(add)
    add_states(add, required=False)
    add_filters(add)
    add = commands.add(
        "import", transfer.import_jobs, "Put the jobs of an export.", texts.IMPORT
    )
    add("file", nargs="?", metavar="FILE", help="the export (default: standard input)")
    add(
        "--from-line",
        type=_count,
        default=1,
        metavar="N",
        help="skip the lines before line N",
    )


def _add_web(commands: CommandAdder) -> None:
    add_web(commands.add("web", web, "Serve a page about all of this.", texts.WEB))
