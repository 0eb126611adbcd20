"""The stop of a worker: phases, reasons and the deadline."""

import time

import pytest

from jobqueue.worker.slots.shutdown import Phase, Shutdown, StopReason

WITHOUT_DEADLINE = [
    StopReason.STOP,
    StopReason.MAX_JOBS,
    StopReason.SLOT_FAILED,
    StopReason.NO_THREAD,
    StopReason.STUCK_JOB,
]


def test_before_any_request() -> None:
    shutdown = Shutdown(0)

    assert shutdown.phase is Phase.RUNNING
    assert not shutdown.has_lasted(0)


@pytest.mark.parametrize("reason", StopReason)
def test_first_request(reason: StopReason) -> None:
    shutdown = Shutdown(1000)

    assert shutdown.request(reason)
    is_at_once = reason is StopReason.NO_PATIENCE
    assert shutdown.phase is (Phase.ABANDONING if is_at_once else Phase.DRAINING)
    assert shutdown.reason == reason
    assert shutdown.has_lasted(0)
    assert not shutdown.has_lasted(1000)


@pytest.mark.parametrize("reason", StopReason)
def test_deadline(reason: StopReason) -> None:
    """Running jobs have a deadline at a stop from outside, and on a blocked loop."""
    shutdown = Shutdown(0)

    shutdown.request(reason)

    waits = reason in WITHOUT_DEADLINE
    assert shutdown.phase is (Phase.DRAINING if waits else Phase.ABANDONING)


def test_earlier_deadline_counts() -> None:
    shutdown = Shutdown(1000)
    shutdown.request(StopReason.SIGNAL)
    left = shutdown.seconds_left()

    assert not shutdown.request(StopReason.HANGUP)
    assert shutdown.seconds_left() <= left
    assert shutdown.reason == StopReason.SIGNAL


@pytest.mark.parametrize("seconds", [0, 0.005, 0.9])
def test_one_stop_told_twice(seconds: float) -> None:
    """Signals that come within a second are those of one stop."""
    shutdown = Shutdown(1000)

    began = time.monotonic()
    for at in (began, began + seconds):
        shutdown.request(StopReason.SIGNAL, at=at)

    assert shutdown.phase is Phase.DRAINING


@pytest.mark.parametrize("between", [[], [100.1, 100.9]])
def test_second_signal(between: list[float]) -> None:
    """A second counts from the first one."""
    shutdown = Shutdown(1000)

    for at in [100, *between, 101]:
        shutdown.request(StopReason.SIGNAL, at=at)

    assert shutdown.phase is Phase.ABANDONING
    assert shutdown.abandon_reason == "a second signal"


def test_supervisor_without_patience() -> None:
    """Its word counts at once."""
    shutdown = Shutdown(1000)

    shutdown.request(StopReason.SUPERVISOR)
    shutdown.request(StopReason.NO_PATIENCE)

    assert shutdown.phase is Phase.ABANDONING


def test_text_of_a_request() -> None:
    shutdown = Shutdown(1000)

    shutdown.request(StopReason.SIGNAL, "SIGTERM")
    shutdown.request(StopReason.SUPERVISOR, "SIGINT")

    assert shutdown.reason == "SIGTERM"


def test_hangup_is_no_second_signal() -> None:
    """A terminal that closes may send several."""
    shutdown = Shutdown(1000)

    for reason in (StopReason.HANGUP, StopReason.SIGNAL, StopReason.HANGUP):
        shutdown.request(reason)

    assert shutdown.phase is Phase.DRAINING
