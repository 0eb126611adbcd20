"""The ledger itself: it would find out what it is there to find out."""

from pathlib import Path

import pytest

from .ledger import Ledger
from .repetitions import Cause
from .verdict import Reason, Verdict, judge

WORKER, OTHER, PRODUCER = 100, 101, 200
TTR = 4  # seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def verdict(path: Path, *lines: str) -> Verdict:
    path.write_text("".join(f"{line}\n" for line in lines))
    ledger = Ledger(path)
    ledger.close()
    return judge(ledger.read())


SENT = f"sent 1 {PRODUCER} 10.0 ends-well {TTR}"
CONFIRMED = "confirmed 1 7 11.0"
FIRST = f"began 1 7 {WORKER} 20.0"
FIRST_ENDED = f"ended 1 7 {WORKER} 20.0 21.0"
AGAIN = f"began 1 7 {OTHER} 30.0"
AGAIN_ENDED = f"ended 1 7 {OTHER} 30.0 31.0"
KILLED = f"fault killed 25.0 25.0 {WORKER} {WORKER}"

# A job that fails for good.
SENT_TO_FAIL = f"sent 1 {PRODUCER} 10.0 fails {TTR}"
FIRST_FAILED = f"for-good 1 7 {WORKER} 20.0 21.0"
AGAIN_FAILED = f"for-good 1 7 {OTHER} 30.0 31.0"
KICKED = "kicked 1 7 29.0"

# Found at the end: number, id, reserves, releases, buries and kicks.
BURIED = "buried 1 7 1 0 1 0"


def lost(times: int, kicks: int = 0) -> str:
    """Return the line of a job that was buried as its workers were lost."""
    return f"buried 1 7 {times + kicks + 1} 0 {kicks + 1} {kicks}"


def faults(count: int, since: int = 20) -> list[str]:
    times = range(since, since + count)
    return [f"fault killed {at}.0 {at}.0 {WORKER} {WORKER}" for at in times]


def test_one_run(path: Path) -> None:
    found = verdict(path, SENT, CONFIRMED, FIRST, FIRST_ENDED)

    assert found.is_good
    assert (found.put, found.began, found.ended, found.duplicated) == (1, 1, 1, 0)


def test_lost(path: Path) -> None:
    assert verdict(path, SENT, CONFIRMED).lost == [1]
    assert verdict(path, SENT).lost == []


def test_vanished(path: Path) -> None:
    """What beanstalkd itself has destroyed was not lost, nor what has its id now."""
    found = verdict(path, SENT, CONFIRMED, "vanished 7")
    other = f"sent 2 {PRODUCER} 30.0 ends-well {TTR}", "confirmed 2 7 31.0"

    assert (found.lost, found.vanished) == ([], 1)
    assert verdict(path, SENT, CONFIRMED, "vanished 7", *other).lost == [2]
    assert verdict(path, SENT, CONFIRMED, "vanished 8").lost == [1]


def test_begun_is_not_ended(path: Path) -> None:
    """A job that was killed half-way, and never came back, is lost."""
    found = verdict(path, SENT, CONFIRMED, FIRST, KILLED)

    assert (found.began, found.ended, found.lost) == (1, 0, [1])


@pytest.mark.parametrize("how", ["again", "cut-off", "for-good"])
def test_failed_is_not_ended(path: Path, how: str) -> None:
    """Nor has a job ended well that failed, and was found nowhere afterwards."""
    failed = f"{how} 1 7 {WORKER} 20.0 21.0"

    assert verdict(path, SENT, CONFIRMED, FIRST, failed).lost == [1]


def test_too_late_a_limit(path: Path) -> None:
    """A job that had to fail must not end well."""
    lines = SENT_TO_FAIL, CONFIRMED, FIRST, FIRST_ENDED

    assert verdict(path, *lines).lost == [1]


def test_failed_for_good(path: Path) -> None:
    found = verdict(path, SENT_TO_FAIL, CONFIRMED, FIRST, FIRST_FAILED, BURIED)

    assert found.is_good
    assert (found.ended, found.buried) == (0, 1)
    assert found.reasons == {Reason.FAILED: 1}


def test_deleted_after_the_last_kick(path: Path) -> None:
    """A job that is gone must have failed after a kick as well."""
    once = SENT_TO_FAIL, CONFIRMED, FIRST, FIRST_FAILED

    found = verdict(path, *once, KICKED, AGAIN, AGAIN_FAILED)

    assert found.is_good
    assert (found.deleted, found.duplicated) == (1, 0)
    assert verdict(path, *once).lost == [1]
    assert verdict(path, *once, "kicked 1 7 22.0").lost == [1]


def test_deleted_after_the_last_kick_of_a_copy(path: Path) -> None:
    """The first failure was that of the job from which it was copied."""
    once = SENT_TO_FAIL, CONFIRMED, FIRST, FIRST_FAILED, "copied 1 buried"
    again = f"began 1 8 {OTHER} 30.0", f"for-good 1 8 {OTHER} 30.0 31.0"

    assert verdict(path, *once, "kicked 1 8 29.0", *again).is_good
    assert verdict(path, *once, "kicked 1 7 29.0", *again).lost == [1]


def test_buried_for_nothing(path: Path) -> None:
    """A job that ended well, or was never put, has no reason to be buried."""
    for ran in [(), (FIRST,), (FIRST, FIRST_ENDED)]:
        found = verdict(path, SENT, CONFIRMED, *ran, BURIED)
        assert (found.unexplained_burials, found.lost) == ([1], [])
    assert verdict(path, BURIED).strangers == [1]


@pytest.mark.parametrize(
    ("line", "hits", "explains"),
    [
        (lost(3), 3, True),
        (lost(1), 3, False),
        (lost(2), 3, True),
        (lost(2), 1, False),
        (lost(3), 2, False),
        (lost(3, kicks=1), 6, False),
        (lost(4, kicks=1), 6, True),
    ],
)
def test_buried_for_losses(path: Path, line: str, hits: int, explains: bool) -> None:
    """It needs as many losses as the limit says, and a fault for each."""
    found = verdict(path, SENT, CONFIRMED, line, *faults(hits))

    assert found.unexplained_burials == ([] if explains else [1])
    assert found.reasons == ({Reason.LOST: 1} if explains else {})


def test_restarts_count_no_burials(path: Path) -> None:
    """A restart of beanstalkd makes it count a burial that it finds in its binlog."""
    counted_again = "buried 1 7 3 0 2 0"

    found = verdict(path, SENT, CONFIRMED, counted_again, *faults(2))

    assert found.reasons == {Reason.LOST: 1}


def test_buried_for_expiries(path: Path) -> None:
    """A loss may also be the end of the time to run, in a worker that was held up."""
    expired = f"expired 7 {WORKER} 20.0 25.0", f"expired 7 {OTHER} 30.0 35.0"
    lines = SENT, CONFIRMED, lost(3), *faults(1), *expired
    held_up = "held-up everybody 21.0 24.0", "held-up everybody 31.0 34.0"

    assert verdict(path, *lines, *held_up).reasons == {Reason.LOST: 1}
    assert verdict(path, *lines, held_up[0]).unexplained_burials == [1]


@pytest.mark.parametrize(
    ("held_up", "explains"),
    [(f"held-up {OTHER} 26.0 30.0", True), (f"held-up {OTHER} 30.0 35.0", False)],
)
def test_begun_after_its_time_to_run(path: Path, held_up: str, explains: bool) -> None:
    """A worker that is held up with a job in hand begins it when it is another's."""
    again = f"began 1 7 {OTHER} 30.0", f"ended 1 7 {OTHER} 30.0 35.0"
    lines = SENT, CONFIRMED, FIRST, FIRST_ENDED, *again
    expired = f"expired 7 {OTHER} 30.0 35.0"

    found = verdict(path, *lines, held_up, expired)

    assert found.unexplained_runs == ([] if explains else [1])
    assert verdict(path, *lines, held_up).unexplained_runs == [1]


def test_buried_while_a_worker_is_held_up(path: Path) -> None:
    """That worker then deletes the buried job, and does not notice that it was lost."""
    lines = SENT, CONFIRMED, FIRST, LONG_FIRST_ENDED, AGAIN, AGAIN_ENDED
    held_up = f"held-up {WORKER} 21.0 25.0"

    assert verdict(path, *lines, held_up, "doubted 7").causes == {Cause.EXPIRY: 1}
    assert verdict(path, *lines, held_up, "doubted 8").unexplained_runs == [1]
    assert verdict(path, *lines, "doubted 7").unexplained_runs == [1]


def test_expiry_noticed_twice(path: Path) -> None:
    """The heartbeat and the slot may both say that one reservation was lost."""
    expired = f"expired 7 {WORKER} 20.0 24.0", f"expired 7 {WORKER} 20.1 25.0"
    held_up = "held-up everybody 20.0 24.0"

    found = verdict(path, SENT, CONFIRMED, lost(3), *faults(1), *expired, held_up)

    assert found.unexplained_burials == [1]


def test_timed_out_before_its_first_line(path: Path) -> None:
    """A task whose time limit was over at once has failed, if its worker says so."""
    lines = SENT_TO_FAIL, CONFIRMED, BURIED

    assert verdict(path, *lines).unexplained_burials == [1]
    assert verdict(path, *lines, "timed-out 7").reasons == {Reason.FAILED: 1}


def test_innocent(path: Path) -> None:
    """A job that was buried for losses had a run that was cut off, or was innocent."""
    lines = SENT, CONFIRMED, lost(2), *faults(2), FIRST

    assert verdict(path, *lines).innocent == 0
    assert verdict(path, *lines, FIRST_ENDED).innocent == 1


@pytest.mark.parametrize(
    ("fault", "explains"),
    [
        ("fault broker-killed 25.0 25.0 everybody everybody", True),
        ("fault frozen 25.0 25.0 nobody everybody", False),
    ],
)
def test_destroyed_body(path: Path, fault: str, explains: bool) -> None:
    """Only a kill of the broker destroys a body."""
    found = verdict(path, SENT, CONFIRMED, "buried unknown 7 1 0 1 0", fault)

    assert found.lost == []
    assert found.unexplained_burials == ([] if explains else [1])


@pytest.mark.parametrize(
    "lines", [(FIRST,), (SENT, "refused 1", FIRST), (SENT, "refused 1", BURIED)]
)
def test_stranger(path: Path, lines: tuple[str, ...]) -> None:
    assert verdict(path, *lines).strangers == [1]


@pytest.mark.parametrize(
    ("fault", "explains"),
    [
        ("fault killed 25.0 25.0 100 100", True),
        ("fault killed 25.0 25.0 101 101", True),
        ("fault killed 25.0 25.0 everybody everybody", True),
        ("fault stopped 1.0 60.0 100,200 nobody", True),
        ("fault killed 25.0 25.0 102 102", False),
        ("fault deploy 25.0 25.0 nobody 100", False),
        ("fault killed 17.0 17.0 100 100", False),
        ("fault killed 31.0 31.0 100 100", False),
    ],
)
def test_second_run(path: Path, fault: str, explains: bool) -> None:
    """It needs a fault at its time and in its process."""
    runs = FIRST, FIRST_ENDED, AGAIN, AGAIN_ENDED

    found = verdict(path, SENT, CONFIRMED, *runs, fault)

    assert found.duplicated == 1
    assert found.unexplained_runs == ([] if explains else [1])


def test_several_runs(path: Path) -> None:
    """Each needs a fault of its own."""
    third = f"began 1 7 {WORKER} 50.0"
    first, second = KILLED, "fault killed 45.0 45.0 101 101"

    one_each = verdict(path, SENT, FIRST, AGAIN, third, first, second)

    assert verdict(path, SENT, FIRST, AGAIN, third, first).unexplained_runs == [1]
    assert one_each.unexplained_runs == []


@pytest.mark.parametrize(
    ("line", "explains"),
    [
        ("fault cut 10.5 10.5 200 200", True),
        ("fault cut 12.0 12.0 200 200", False),
        ("fault cut 10.5 10.5 100 100", False),
        ("copied 1 ready", True),
    ],
)
def test_put_twice(path: Path, line: str, explains: bool) -> None:
    """It needs a fault during the put, or an operator's import."""
    second = f"began 1 8 {OTHER} 21.0"

    found = verdict(path, SENT, CONFIRMED, FIRST, second, line)

    assert found.unexplained_runs == ([] if explains else [1])


LONG_FIRST_ENDED = f"ended 1 7 {WORKER} 20.0 25.0"
EXPIRED = f"expired 7 {WORKER} 20.0 25.0"


@pytest.mark.parametrize(
    ("held_up", "explains"),
    [
        ([f"held-up {WORKER} 21.0 23.0"], True),
        (["held-up everybody 21.0 23.0"], True),
        ([f"held-up {WORKER} 21.0 22.0", "held-up everybody 23.0 24.0"], True),
        ([f"fault frozen 21.0 23.0 nobody {WORKER}"], True),
        (["fault stalled 21.0 23.0 nobody everybody"], True),
        ([f"held-up {WORKER} 21.0 22.0"], False),
        ([f"held-up {WORKER} 21.0 22.5", "held-up everybody 21.0 22.5"], False),
        ([f"held-up {OTHER} 21.0 23.0"], False),
        ([f"held-up {WORKER} 13.0 17.0"], False),
        ([f"held-up {WORKER} 26.0 30.0"], False),
    ],
)
def test_end_of_the_time_to_run(path: Path, held_up: list[str], explains: bool) -> None:
    """It explains a second run if the worker was held up for half of that time."""
    lines = SENT, CONFIRMED, FIRST, LONG_FIRST_ENDED, AGAIN, AGAIN_ENDED

    found = verdict(path, *lines, EXPIRED, *held_up)

    assert found.unexplained_runs == ([] if explains else [1])
    assert found.causes[Cause.EXPIRY] == explains


@pytest.mark.parametrize(
    "expired",
    [
        (),
        (f"expired 7 {OTHER} 20.0 25.0",),
        (f"expired 8 {WORKER} 20.0 25.0",),
        (f"expired 7 {WORKER} 10.0 15.0",),
    ],
)
def test_held_up_in_time(path: Path, expired: tuple[str, ...]) -> None:
    """A worker that was held up has lost a job only if it says so."""
    lines = SENT, CONFIRMED, FIRST, LONG_FIRST_ENDED, AGAIN, AGAIN_ENDED
    held_up = f"held-up {WORKER} 10.0 25.0"

    assert verdict(path, *lines, *expired, held_up).unexplained_runs == [1]


def test_held_up_before_the_run_was_noted(path: Path) -> None:
    """A fault may then have hit its worker longer before that note."""
    lines = SENT, CONFIRMED, FIRST, FIRST_ENDED, AGAIN, AGAIN_ENDED
    fault = f"fault cut 16.0 16.0 {WORKER} {WORKER}"
    held_up = f"held-up {WORKER} 16.0 19.0"

    assert verdict(path, *lines, fault).unexplained_runs == [1]
    assert verdict(path, *lines, fault, held_up).causes == {Cause.FAULT: 1}


def test_retry_is_no_duplicate(path: Path) -> None:
    failed = f"again 1 7 {WORKER} 20.0 21.0"

    found = verdict(path, SENT, CONFIRMED, FIRST, failed, AGAIN, AGAIN_ENDED)

    assert (found.duplicated, found.is_good) == (0, True)


def test_run_after_a_burial(path: Path) -> None:
    """Only a kick lets a job run again that was buried."""
    runs = FIRST, FIRST_FAILED, AGAIN, AGAIN_FAILED
    early = "kicked 1 7 19.0"

    assert verdict(path, SENT_TO_FAIL, CONFIRMED, *runs, KICKED).is_good
    assert verdict(path, SENT_TO_FAIL, CONFIRMED, *runs, early).unexplained_runs == [1]


@pytest.mark.parametrize(("kick", "escaped"), [((), [1]), (("kicked 1 8 40.0",), [])])
def test_imported_as_buried(
    path: Path, kick: tuple[str, ...], escaped: list[int]
) -> None:
    """A job that an import was to bury must not run, whatever became of the import."""
    lines = SENT_TO_FAIL, CONFIRMED, FIRST, FIRST_FAILED, "copied 1 buried"
    copy = f"began 1 8 {OTHER} 50.0", f"for-good 1 8 {OTHER} 50.0 51.0"
    end = "buried 1 8 2 0 2 0", KILLED

    assert verdict(path, *lines, *kick, *copy, *end).escaped == escaped


def test_left_by_an_import(path: Path) -> None:
    """An import may leave jobs delayed only if it says so."""
    lines = SENT, CONFIRMED, "copied 1 buried", "stranded 1"

    assert verdict(path, *lines).stranded == [1]
    assert verdict(path, *lines, "admitted 1").stranded == []


@pytest.mark.parametrize(
    ("fault", "is_busy"),
    [
        ("fault killed 20.5 20.5 100 100", True),
        ("fault deploy 20.5 20.5 nobody 100", True),
        ("fault frozen 19.0 20.5 nobody everybody", True),
        ("fault killed 20.5 20.5 101 101", False),
        ("fault killed 19.0 19.5 100 100", False),
        ("fault killed 21.5 22.0 100 100", False),
        ("fault cut 20.5 20.5 200 200", False),
    ],
)
def test_busy_worker(path: Path, fault: str, is_busy: bool) -> None:
    """A fault counts as such if it hits a process while that runs a job."""
    found = verdict(path, SENT, CONFIRMED, FIRST, FIRST_ENDED, fault)

    assert found.busy == is_busy


@pytest.mark.parametrize(("idle", "is_enough"), [(1, True), (2, False)])
def test_too_few_at_busy_workers(path: Path, idle: int, is_enough: bool) -> None:
    """Half of the faults have to hit a busy process."""
    hit = f"fault frozen 20.5 20.5 nobody {WORKER}"
    missed = [f"fault frozen 20.5 20.5 nobody {OTHER}"] * idle

    found = verdict(path, SENT, CONFIRMED, FIRST, FIRST_ENDED, hit, *missed)

    assert (found.objections() == []) == is_enough


def test_busy_until_killed(path: Path) -> None:
    """A run without an end has ended when its process did."""
    later = "fault broker-frozen 40.0 41.0 nobody everybody"

    assert verdict(path, SENT, FIRST, KILLED, later).busy == 1
