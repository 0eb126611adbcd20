"""The options that make a task periodic, and what is refused."""

import builtins
import zoneinfo
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jobqueue import JobQueue, OptionError, TaskDefinitionError
from jobqueue.schedule.schedule import Schedule
from jobqueue.schedule.times import Every
from jobqueue.task.registry import subscriber


def schedule_of(**options: Any) -> Schedule | None:
    @JobQueue.task("t", **options)
    def nightly(depth: int = 3) -> None: ...

    (task,) = subscriber.tasks(["t"])
    return task.schedule


@pytest.mark.parametrize("every", [300, 300.0, timedelta(minutes=5)])
def test_every(every: Any) -> None:
    assert schedule_of(every=every) == Schedule(Every(300))


def test_all_options() -> None:
    found = schedule_of(
        cron="0  7 * * MON-FRI", tz="Europe/Berlin", late=60, pile_up=True
    )

    assert found is not None
    assert found.text == "cron 0 7 * * MON-FRI Europe/Berlin"
    assert (found.late, found.pile_up) == (60, True)


@pytest.fixture
def _no_time_zones() -> Iterator[None]:
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.usefixtures("_no_time_zones")
@pytest.mark.parametrize("options", [{}, {"tz": "UTC"}], ids=["default", "named"])
def test_system_without_time_zones(options: dict[str, str]) -> None:
    """UTC needs no data."""
    found = schedule_of(cron="0 7 * * *", **options)

    assert found is not None
    assert found.text == "cron 0 7 * * * UTC"
    assert found.times.next_after(0) == 7 * 3600


def test_not_periodic() -> None:
    assert schedule_of() is None


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"every": 0}, "every has to be a whole number of seconds from 1"),
    ({"every": 0.5}, "beanstalkd knows no parts of a second"),
    ({"every": timedelta(seconds=1.5)}, "every has to be a whole number"),
    ({"every": -1}, "every has to be"),
    ({"every": True}, "every has to be"),
    ({"every": 2**32}, "every has to be"),
    ({"every": "5"}, "not '5'"),
    ({"every": float("nan")}, "every has to be"),
    ({"every": 5, "cron": "* * * * *"}, "either every or cron"),
    ({"every": 5, "tz": "UTC"}, "tz is the time zone of cron"),
    ({"tz": "UTC"}, "tz is the time zone of cron"),
    ({"late": 5}, "give every or cron as well"),
    ({"pile_up": True}, "give every or cron as well"),
    ({"every": 5, "late": 0}, "late has to be from 1"),
    ({"every": 5, "late": "x"}, "late has to be"),
    ({"cron": "0 7 * *"}, "no cron expression (Wrong number of fields)"),
    ({"cron": "61 7 * * *"}, "no cron expression (Bad minute)"),
    ({"cron": "0 0 7 * * *"}, "no cron expression (Wrong number of fields)"),
    ({"every": 5, "pile_up": "no"}, "pile_up has to be True or False, not 'no'"),
    ({"cron": ""}, "no cron expression"),
    ({"cron": "0 0 30 2 *"}, "no cron expression (Bad day-of-month)"),
    ({"cron": 7}, "cron has to be a text"),
    ({"cron": "* * * * *", "tz": "Europe/Berln"}, "tz has to be the name"),
    ({"cron": "* * * * *", "tz": "../etc/passwd"}, "tz has to be the name"),
    ({"cron": "* * * * *", "tz": 1}, "tz has to be the name"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_bad_values_fail_at_the_decoration(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError) as caught:
        schedule_of(**options)

    assert message in str(caught.value)


def test_task_that_needs_arguments() -> None:
    with pytest.raises(TaskDefinitionError, match=r"missing.*'day'.*default value"):

        @JobQueue.task("t", every=5)
        def report(day: str) -> None: ...


def test_cron_without_cronsim(monkeypatch: pytest.MonkeyPatch) -> None:
    actual = builtins.__import__

    def without_cronsim(name: str, *args: Any) -> Any:
        if name == "cronsim":
            raise ModuleNotFoundError(name)
        return actual(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_cronsim)

    with pytest.raises(OptionError, match=r"pip install 'jobqueue\[cron\]'"):
        schedule_of(cron="* * * * *")
    assert schedule_of(every=5)
