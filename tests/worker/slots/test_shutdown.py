"""The stop of a worker: phases, reasons and the deadline."""

import pytest

from jobqueue.worker.slots.shutdown import Phase, Shutdown, StopReason

WITHOUT_DEADLINE = [
    StopReason.STOP,
    StopReason.MAX_JOBS,
    StopReason.SLOT_FAILED,
    StopReason.NO_THREAD,
]


def test_before_any_request() -> None:
    shutdown = Shutdown(0)

    assert shutdown.phase is Phase.RUNNING
    assert not shutdown.has_lasted(0)


@pytest.mark.parametrize("reason", StopReason)
def test_first_request(reason: StopReason) -> None:
    shutdown = Shutdown(1000)

    assert shutdown.request(reason)
    assert shutdown.phase is Phase.DRAINING
    assert shutdown.reason == reason
    assert shutdown.has_lasted(0)
    assert not shutdown.has_lasted(1000)


@pytest.mark.parametrize("reason", StopReason)
def test_deadline(reason: StopReason) -> None:
    """Only a stop from outside, and a stuck job, leave running jobs at a deadline."""
    shutdown = Shutdown(0)

    shutdown.request(reason)

    waits = reason in WITHOUT_DEADLINE
    assert shutdown.phase is (Phase.DRAINING if waits else Phase.ABANDONING)


def test_earlier_deadline_counts() -> None:
    shutdown = Shutdown(1000)
    shutdown.request(StopReason.SIGNAL)
    left = shutdown.seconds_left()

    assert not shutdown.request(StopReason.STUCK_JOB)
    assert shutdown.seconds_left() <= left
    assert shutdown.reason == StopReason.SIGNAL


def test_second_signal() -> None:
    shutdown = Shutdown(1000)

    shutdown.request(StopReason.SIGNAL)
    shutdown.request(StopReason.SIGNAL)

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
