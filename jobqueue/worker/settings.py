"""A worker's settings and timings, and the checks of what a user passes for them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jobqueue.broker.address import Address
from jobqueue.broker.checks import check_tube, seconds_between, whole_number
from jobqueue.broker.redirection import Redirection
from jobqueue.errors import OptionError, UnknownTubeError
from jobqueue.task.definition import Task
from jobqueue.task.registry import subscriber

SHUTDOWN_TIMEOUT = 30.0  # seconds
FAILURES_KEPT = 1000  # notes on each tube's burials, and as many on its retries
MAX_SHUTDOWN_TIMEOUT = 10**6  # seconds: what any platform's locks can wait for


class Timings(NamedTuple):
    """Every pause, interval and patience of a worker, in seconds.

    None of them is an option: tests shorten them, users have no reason to.
    """

    # A connection to the broker.
    reserve_timeout: int = 40
    """How often the broker must answer an idle slot, so that a dead one is noticed.

    And so that proxies don't end the connection: HAProxy's examples do after 50 s.
    """
    first_reconnect_pause: float = 0.1
    """Before the second attempt to connect to a lost broker; then it doubles."""
    longest_reconnect_pause: float = 5.0
    """The most that the pause between two attempts to connect grows to."""

    # A job that runs.
    heartbeat_interval: float = 0.25
    """Between two looks at which reservations to extend: the shortest ttr is 1 s."""
    longest_touch_pause: float = 4.0
    """The most between two touches of a job: so that no proxy, firewall or NAT between
    worker and broker takes its connection for idle."""
    time_limit_grace: float = 5.0
    """From a job's time limit, when TimeLimitExceeded is raised, to giving it up."""
    interrupt_retry: float = 0.000_5
    """Before the next attempt to interrupt a job at a place that is not safe."""
    loop_look: float = 2.0
    """Between two looks whether a job that runs on the event loop can still end."""

    # Crash loops.
    wary_for: float = 0.5
    """For how long a slot checks each job's losses, once a job has proved harmless."""
    wary_without_proof_for: float = 60.0
    """For how long it checks them if no job has proved harmless."""
    last_chance_poll: float = 0.25
    """Between two looks at whether to stop, while a job waits for its last chance."""

    # Failure notes.
    notes_rest: float = 0.1
    """Between two looks at how many notes there are, while jobs fail."""

    # Schedules of periodic tasks.
    schedules_check: float = 60.0
    """Between two looks whether each schedule has its tick, on average."""
    second_look: float = 0.5
    """The same if two workers are in each other's way."""
    tick_wait: int = 10
    """How often the broker must answer a worker that waits for a tick: while a machine
    that is gone seems to wait, the broker may give it one."""
    tick_patience: float = 1.0
    """For the job of a periodic task to be put that is due when the worker stops."""

    # A worker that stops.
    signal_patience: float = 0.1
    """For the signal that ended the child process of a job that has failed."""
    signal_poll: float = 0.005
    """Between two looks at whether that signal has come."""
    arrival_patience: float = 0.1
    """For a job that the broker had sent already when a slot was stopped."""
    thread_exit_patience: float = 0.2
    """For the threads of idle slots to end, before :meth:`Worker.run` returns."""
    loop_close_timeout: float = 5.0
    """For async tasks to handle their cancellation when the event loop is closed."""

    # The supervisor's processes.
    starting_poll: float = 0.05
    """Between two looks at the processes until the first of them works."""
    poll: float = 0.5
    """Between two looks at processes of which one runs jobs, leaves or is missing."""
    idle_poll: float = 4.0
    """Between two looks at idle processes: so each look costs next to no CPU.

    Plus ``margin``, it is ``time_limit_grace`` at most. A job that hangs gets twice the
    grace, so a process that was suspended unnoticed still has its own to act.
    """
    margin: float = 1.0
    """For a process to do by itself what it was told, before the supervisor acts."""
    steady_after: float = 60.0
    """A process that lived so long did not die of how it starts."""
    first_restart_pause: float = 0.5
    """Before the third process in a row that dies young; then it doubles."""
    longest_restart_pause: float = 30.0
    """The most that the pause before a new process grows to."""

    def longest_turn(self, broker_timeout: float) -> float:
        """Return the seconds from one turn of an idle slot's loop to the next, at most.

        A broker that falls silent costs the wait for a job and a reply; a new one costs
        a pause, a connection, and a reply.
        """
        waits = self.reserve_timeout + self.longest_reconnect_pause
        return waits + 3 * broker_timeout + self.margin


class Settings(NamedTuple):
    """How a worker works, checked."""

    tubes: Sequence[str]
    address: Address
    threads: int
    burst: bool
    max_jobs: int | None
    time_limit: float | None  # seconds
    shutdown_timeout: float  # seconds
    failures_kept: int = FAILURES_KEPT
    timings: Timings = Timings()


def check_shutdown_timeout(seconds: object) -> float:
    """Return a valid time-out, in seconds. Raises OptionError for any other value."""
    valid = seconds_between(0, seconds, MAX_SHUTDOWN_TIMEOUT)
    if valid is not None:
        return valid
    raise OptionError(
        "shutdown_timeout has to be a number of seconds from 0 to "
        f"{MAX_SHUTDOWN_TIMEOUT}, not {seconds!r}"
    )


def check_count(name: str, value: object) -> int:
    """Return a positive whole number. Raises OptionError for any other value."""
    return whole_number(name, value, least=1, most=None)


def check_failures_kept(value: object) -> int:
    """Return a number of notes, 0 for none. Raises OptionError for any other value."""
    return whole_number("failures_kept", value, most=None)


def check_max_jobs(value: object) -> int | None:
    """Return a positive whole number, or None for no limit. Raises OptionError."""
    return None if value is None else check_count("max_jobs", value)


def check_tubes(tubes: Iterable[str]) -> tuple[str, ...]:
    """Return these tubes without duplicates; without any, every tube that has a task.

    Raises OptionError, TubeNameError, and UnknownTubeError for a tube without a task.
    """
    if isinstance(tubes, str):
        raise OptionError(f"tubes has to be a list of names, as in [{tubes!r}]")
    names = tuple(dict.fromkeys(check_tube(tube) for tube in tubes))
    known = subscriber.tubes()
    if not known:
        raise UnknownTubeError(
            "no task is registered: import the modules that have the tasks first "
            "(on the command line: --import app.tasks)"
        )
    for tube in names:
        if tube not in known:
            raise UnknownTubeError(
                f"no task is registered in tube {tube!r} "
                f"(known tubes: {', '.join(known)}): is the name right, and is the "
                "module with its tasks imported (on the command line: --import)?"
            )
    return names or tuple(known)


def common_broker(tasks: Iterable[Task]) -> Address:
    """Return the one broker of all these tasks, or that of an open redirection.

    Raises OptionError for several.
    """
    if Redirection.url is not None:
        return Address.parse(Redirection.url)
    found = [Address.find(task.broker_url) for task in tasks]
    brokers = {broker.target: broker for broker in found}  # whatever their time-outs
    if len(brokers) == 1:
        return found[0]
    raise OptionError(
        "the tasks of these tubes belong to different brokers "
        f"({', '.join(sorted(map(str, brokers.values())))}): "
        "start a worker for each, naming its tubes or its URL"
    )


def check_secrets(tasks: Iterable[Task]) -> list[Task]:
    """Return the tasks whose jobs have to be signed.

    Raises OptionError if ``$JOBQUEUE_SECRET`` holds an invalid secret.
    """
    return [task for task in tasks if task.signing.is_on]
