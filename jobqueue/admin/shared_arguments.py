"""Arguments that several commands have."""

import argparse
from collections.abc import Callable
from typing import Any, TypedDict

from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.stats import JobState
from jobqueue.command_line import time_ago, whole_number_from

_number = whole_number_from(0)


def add_put_options(add: Callable[..., Any], defaults: PutOptions) -> None:
    """Add how a job is put. What is not given is None: see passed_put_options()."""
    own = "; with --import, the task's own"
    add(
        "--delay",
        type=_number,
        metavar="S",
        help=f"seconds until the job is ready (default: {defaults.delay}{own})",
    )
    add(
        "--priority",
        type=_number,
        metavar="N",
        help=f"0 is the most urgent (default: {defaults.priority}{own})",
    )
    add(
        "--ttr",
        type=_number,
        metavar="S",
        help="seconds after which the broker takes the job back from a silent worker "
        f"(default: {defaults.ttr}{own})",
    )


class PassedPutOptions(TypedDict):
    """The options of a put on the command line; None: not given."""

    delay: int | None
    priority: int | None
    ttr: int | None


def passed_put_options(options: argparse.Namespace) -> PassedPutOptions:
    """Return the options of a put that the command line has."""
    return {
        "delay": options.delay,
        "priority": options.priority,
        "ttr": options.ttr,
    }


def add_tube(add: Callable[..., Any], nargs: str | None = None) -> None:
    """Add the name of a tube."""
    add("tube", nargs=nargs, metavar="TUBE", help="the tube's name")


def add_filters(
    add: Callable[..., Any], *, containing: str = "this text in the body"
) -> None:
    """Add what jobs have to have."""
    add("--func", metavar="NAME", help="only jobs of this function")
    add("--containing", metavar="TEXT", help=f"only jobs with {containing}")
    add("--error", metavar="CLASS", help="only jobs whose last failure has this error")
    add(
        "--since",
        type=time_ago,
        metavar="TIME",
        help="only jobs that failed less than this ago, as in 90s, 30m, 2h or 7d",
    )


def add_asking(add: Callable[..., Any]) -> None:
    """Add what to do about the question before a change."""
    add("--yes", action="store_true", help="don't ask")
    add("--dry-run", action="store_true", help="only say which jobs these are")


def add_states(add: Callable[..., Any], *, required: bool) -> None:
    """Add the states that jobs are in."""
    add(
        "--state",
        action="append",
        default=[],
        dest="states",
        required=required,
        choices=[state.value for state in JobState],
        help="ready, delayed, reserved or buried; repeatable"
        + ("" if required else " (default: all)"),
    )


def add_schedule_action(add: Callable[..., Any]) -> None:
    """Add what may be done with a schedule, and its name."""
    add(
        "action",
        nargs="?",
        choices=["run", "delete"],
        metavar="ACTION",
        help="run: put a job of NAME now; delete: delete the schedule of a task that "
        "is gone (default: show all)",
    )
    add("name", nargs="?", metavar="NAME", help="a schedule, or its function")
