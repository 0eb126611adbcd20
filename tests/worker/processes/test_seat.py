"""A seat of the supervisor: the pause before the next process."""

from jobqueue.worker.processes.seat import Seat
from jobqueue.worker.settings import Timings

TIMINGS = Timings(steady_after=60, first_restart_pause=0.5, longest_restart_pause=30)


def test_processes_that_die_young() -> None:
    """The first is replaced at once; then the pause doubles, up to a bound."""
    seat = Seat(1, TIMINGS)

    pauses = [seat.pause_after_death() for _ in range(9)]

    assert pauses == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert not seat.is_due()


def test_process_that_lived_long() -> None:
    """It is replaced at once, whatever came before."""
    seat = Seat(1, TIMINGS)
    for _ in range(5):
        seat.pause_after_death()

    assert seat.pause_after_death(60) == 0
    assert seat.is_due()
