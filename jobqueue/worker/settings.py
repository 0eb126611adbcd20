"""What a worker is told, checked before anything starts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobqueue.broker.address import Address
from jobqueue.broker.checks import check_tube
from jobqueue.errors import OptionError, UnknownTubeError
from jobqueue.task.definition import Task
from jobqueue.task.registry import subscriber

SHUTDOWN_TIMEOUT = 30.0  # seconds
MAX_SHUTDOWN_TIMEOUT = 10**6  # seconds: what any platform's locks can wait for


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told."""

    tubes: Sequence[str]
    address: Address
    threads: int
    burst: bool
    max_jobs: int | None
    time_limit: float | None  # seconds
    shutdown_timeout: float  # seconds


def check_shutdown_timeout(seconds: object) -> float:
    """Return the time-out, if it is one. Raises OptionError."""
    if isinstance(seconds, int | float) and 0 <= seconds <= MAX_SHUTDOWN_TIMEOUT:
        return seconds
    raise OptionError(
        "shutdown_timeout has to be a number of seconds from 0 to "
        f"{MAX_SHUTDOWN_TIMEOUT}, not {seconds!r}"
    )


def check_count(name: str, value: object) -> int:
    """Return the number, if there can be that many. Raises OptionError."""
    if type(value) is int and value > 0:
        return value
    raise OptionError(f"{name} has to be a whole number from 1, not {value!r}")


def check_tubes(tubes: Iterable[str]) -> tuple[str, ...]:
    """Return the names of these tubes, or of all if there are none.

    Raises OptionError, TubeNameError, and UnknownTubeError for a tube without a task.
    """
    if isinstance(tubes, str):
        raise OptionError(f"tubes has to be a list of names, as in [{tubes!r}]")
    names = tuple(dict.fromkeys(check_tube(tube) for tube in tubes))
    known = subscriber.tubes()
    for tube in names:
        if tube not in known:
            raise UnknownTubeError(
                f"no task is registered in tube {tube!r} "
                f"(known tubes: {', '.join(known) or 'none'}): "
                "is the module with its tasks imported?"
            )
    if not known:
        raise UnknownTubeError(
            "no task is registered: import the modules that have the tasks first "
            "(on the command line: --import app.tasks)"
        )
    return names or tuple(known)


def common_broker(tasks: Iterable[Task]) -> Address:
    """Return the broker that the tasks belong to. Raises OptionError for several."""
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
    """Return those of the tasks whose jobs have to be signed.

    Raises OptionError for a secret in the environment that can't be one.
    """
    return [task for task in tasks if task.signing.is_on]
