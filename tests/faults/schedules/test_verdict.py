"""The judge of the campaign: what it takes for right, and what for wrong."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from .due_times import TIMES, due_times
from .timeline import Fault, Timeline
from .verdict import Verdict, judge

BEGIN, END = 1000, 1140  # moments, and times: the clock shows both alike at first
DUE = 1020  # of each second, of each five, and not of each seven

Judge = Callable[..., Verdict]


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(begin=BEGIN, end=END, real=0, deploys=[(BEGIN, 1)])


@pytest.fixture
def judged(tmp_path: Path, timeline: Timeline) -> Judge:
    """Return a function that judges runs: each due time once, but for some changes."""

    def judged(
        missed: Iterable[int] = (),
        added: Iterable[tuple[str, int, float]] = (),
    ) -> Verdict:
        runs = [
            (name, due, timeline.passed(due))
            for name in TIMES
            for due, _ in due_times(timeline, name, [])
            if name != "each_second" or due not in missed
        ]
        file = tmp_path / "runs"
        with file.open("w") as lines:
            for job, (name, due, at) in enumerate([*runs, *added]):
                line = {"name": name, "due": due, "job": job, "at": at + 0.01}
                lines.write(json.dumps(line) + "\n")
        return judge(file, timeline)

    return judged


def test_all_once(judged: Judge) -> None:
    verdict = judged()

    assert not verdict.wrong
    assert verdict.once == verdict.due
    assert verdict.due["each_second"] == END - BEGIN - 1


def test_missed(judged: Judge) -> None:
    assert judged([DUE]).wrong == [f"each_second was not put for [{DUE}]"]
    assert judged([END - 1]).wrong == [f"each_second was not put for [{END - 1}]"]


def test_early(judged: Judge) -> None:
    verdict = judged([DUE], added=[("each_second", DUE, DUE - 1)])

    (wrong,) = verdict.wrong
    assert "each_second was put early" in wrong


def test_no_due_time(judged: Judge) -> None:
    (wrong,) = judged(added=[("each_five", DUE + 1, DUE + 1)]).wrong

    assert "when it is not due" in wrong


@pytest.mark.parametrize(
    ("fault", "seconds", "is_right"),
    [
        ("kill of a process", 0.1, True),
        ("freeze", 12, True),  # the broker gives the tick to another worker
        ("freeze", 4, False),
        ("stop of a worker", 2, False),
        ("deploy", 5, False),
        ("kick by a stranger", 0.1, False),
    ],
)
def test_put_again(
    judged: Judge, timeline: Timeline, fault: str, seconds: float, *, is_right: bool
) -> None:
    """Only what cuts a worker off in the middle explains it."""
    again = [("each_five", DUE, DUE + 2)]
    assert judged(added=again).wrong

    timeline.faults.append(Fault(fault, DUE, DUE + seconds))
    verdict = judged(added=again)

    assert (not verdict.wrong) is is_right
    assert verdict.again["each_five"] == is_right


@pytest.mark.parametrize(
    ("fault", "seconds", "missed", "is_right"),
    [
        ("long restart", 12, 12, True),
        ("long restart", 12, 21, False),  # workers were back long ago
        ("long restart", 3, 3, False),  # all that were due in such a time are put
        ("freeze", 12, 12, True),  # beanstalkd forgot the ttr of the tick
        ("freeze", 12, 16, False),
        ("freeze", 4, 4, False),
    ],
)
def test_skipped(
    judged: Judge,
    timeline: Timeline,
    fault: str,
    seconds: int,
    missed: int,
    *,
    is_right: bool,
) -> None:
    timeline.faults.append(Fault(fault, DUE, DUE + seconds))

    verdict = judged(range(DUE, DUE + missed))

    assert (not verdict.wrong) is is_right
    assert verdict.skipped["each_second"] == (missed if is_right else 0)


def test_two_outages(judged: Judge, timeline: Timeline) -> None:
    """The second comes before the workers are back from the first."""
    timeline.faults.append(Fault("long restart", DUE, DUE + 5))
    timeline.faults.append(Fault("no worker", DUE + 10, DUE + 20))

    assert not judged(range(DUE, DUE + 20)).wrong


def step(timeline: Timeline, at: int, seconds: int) -> None:
    timeline.step(seconds)
    timeline.jumps[-1] = timeline.jumps[-1]._replace(
        at=at, before=at, after=at + seconds
    )


@pytest.mark.parametrize(("seconds", "is_right"), [(75, True), (3, False)])
def test_clock_forward(
    judged: Judge, timeline: Timeline, seconds: int, *, is_right: bool
) -> None:
    step(timeline, DUE, seconds)
    missed = range(DUE + 1, DUE + seconds)

    assert (not judged(missed).wrong) is is_right


def test_outage_while_a_step_is_not_noticed(judged: Judge, timeline: Timeline) -> None:
    step(timeline, DUE, 75)  # to 1095
    timeline.faults.append(Fault("long restart", DUE + 8, DUE + 13))

    assert not judged(range(DUE + 1, 1108)).wrong


@pytest.mark.parametrize(("seconds", "is_right"), [(75, True), (10, False)])
def test_put_again_as_the_clock_was_set_back(
    judged: Judge, timeline: Timeline, seconds: int, *, is_right: bool
) -> None:
    """By up to a minute nothing is put twice."""
    step(timeline, 1090, -seconds)
    again = 1090 - seconds + 5

    verdict = judged(added=[("each_second", again, 1095)])

    about_again = [line for line in verdict.wrong if "was put again" in line]
    assert bool(about_again) is not is_right


def test_clock_before_the_beginning(judged: Judge, timeline: Timeline) -> None:
    """Times that it has not shown before are due as well, once workers must know."""
    step(timeline, 1010, -75)
    shown = [("each_second", due, due + 75) for due in range(946, 1000)]

    assert about_seconds(judged(added=shown)) == []
    assert about_seconds(judged(added=shown[:-1])) == [
        "each_second was not put for [999]"
    ]


def test_outage_where_the_clock_shows_times_again(
    judged: Judge, timeline: Timeline
) -> None:
    """What was put before it was set back is a part of the gap."""
    step(timeline, 1064, -62)  # to 1002
    timeline.faults.append(Fault("long restart", 1117, 1129))  # of 1055 to 1067

    verdict = judged([1064, 1065, 1066], added=again(1003, 1055))

    assert about_seconds(verdict) == []
    late = judged([1064, 1065, 1066], added=again(1003, 1058))
    assert about_seconds(late) == ["each_second was not put for [1064, 1065, 1066]"]


def again(first: int, last: int) -> list[tuple[str, int, float]]:
    return [("each_second", due, due + 62) for due in range(first, last + 1)]


def about_seconds(verdict: Verdict) -> list[str]:
    return [line for line in verdict.wrong if line.startswith("each_second")]
