"""Faults in the schedules of periodic tasks."""

from .mutant import Mutant

TIMES = "jobqueue/schedule/times.py"
DECISION = "jobqueue/schedule/decision.py"
TICKS = "jobqueue/worker/schedules/ticks.py"
TICK_COUNTS = "jobqueue/worker/schedules/tick_counts.py"
SCHEDULED_TASK = "jobqueue/worker/schedules/scheduled_task.py"
OTHER_CODE = "jobqueue/worker/schedules/other_code.py"
KEEPER = "jobqueue/worker/schedules/keeper.py"
TIMES_TESTS = "tests/schedule/test_times.py"
DECISION_TESTS = "tests/schedule/test_decision.py"
TICKS_TESTS = "tests/worker/schedules/test_ticks.py"
KEEPER_TESTS = "tests/worker/schedules/test_keeper.py"

OF_SCHEDULES = [
    Mutant(
        "second-hour-of-two",
        "a due time comes after the moment that is asked about",
        TIMES,
        "next(due for due in self._from(moment) if due > moment)",
        "next(self._from(moment))",
        (f"{TIMES_TESTS}::test_changes_of_the_clocks",),
    ),
    Mutant(
        "all-missed-are-put",
        "of the due times that were missed for long, only the latest is put",
        DECISION,
        "if now - due > EACH_FOR:",
        "if now - due > 10**9:",
        (f"{DECISION_TESTS}::test_decide",),
    ),
    Mutant(
        "last-due-forgotten",
        "another worker's clock, a little behind, puts no due time again",
        DECISION,
        "right = times.next_after(max(math.floor(now), _last_due(tick, now)))",
        "right = times.next_after(math.floor(now))",
        (f"{DECISION_TESTS}::test_decide",),
    ),
    Mutant(
        "wrong-clock-believed",
        "a clock that was far ahead once does not stop a schedule",
        DECISION,
        "return tick.last_due if tick.last_due <= now + CLOCKS_DIFFER else 0",
        "return tick.last_due",
        (f"{DECISION_TESTS}::test_decide",),
    ),
    Mutant(
        "old-code-takes-over",
        "a worker with older code leaves the schedule to those with newer code",
        DECISION,
        "if not is_ours and tick.since > started:",
        "if tick.since < 0:",
        (f"{TICKS_TESTS}::test_changed_schedule",),
    ),
    Mutant(
        "gone-code-keeps-its-schedule",
        "a schedule is taken over when no worker with its code is left",
        OTHER_CODE,
        "if not (found and found.watching):",
        "if tick.due < 0:",
        (f"{TICKS_TESTS}::test_changed_schedule_whose_code_is_gone",),
    ),
    Mutant(
        "jobs-pile-up",
        "no job is put while the last one waits",
        TICKS,
        "if not task.schedule.pile_up and is_waiting(self._connection, tick):",
        "if tick.due < 0:",
        (f"{TICKS_TESTS}::test_last_job_is_still_waiting",),
    ),
    Mutant(
        "strangers-tick",
        "a tick that is not signed is signed anew before it is due",
        SCHEDULED_TASK,
        "self.signing.check(tick)",
        "pass",
        (f"{TICKS_TESTS}::test_secret_that_is_new",),
    ),
    Mutant(
        "two-ticks-stay",
        "of two ticks of a schedule, one is deleted",
        TICK_COUNTS,
        "(counts.buried > 0 or total(counts) > 1)",
        "(counts.buried > 0 or total(counts) > 2)",
        (f"{TICKS_TESTS}::test_two_workers_start_at_once",),
    ),
    Mutant(
        "both-ticks-are-put",
        "two ticks of a schedule put a due time once",
        TICKS,
        "case Put() if total(counts",
        "case Put() if -total(counts",
        (f"{TICKS_TESTS}::test_two_ticks_of_one_due_time",),
    ),
    Mutant(
        "late-ones-give-way",
        "due times that are late are put at once, one after the other",
        "jobqueue/worker/schedules/tick_counts.py",
        "if counts is None or counts.reserved <= 1:",
        "if counts is None or counts.reserved:",
        (f"{TICKS_TESTS}::test_tick_whose_last_is_just_being_deleted",),
    ),
    Mutant(
        "new-tick-stays",
        "of two ticks of a schedule, the one with a history stays, or else the older",
        TICKS,
        "key=lambda n: (-found[n][1].last_due, n)",
        "key=lambda n: -n",
        (f"{TICKS_TESTS}::test_two_workers_start_at_once",),
    ),
    Mutant(
        "looks-only-at-the-start",
        "a tick that is gone is made again while the worker runs",
        KEEPER,
        "if time.monotonic() >= next_check:",
        "if time.monotonic() < 0:",
        (f"{KEEPER_TESTS}::test_tick_that_is_deleted",),
    ),
    Mutant(
        "two-ticks-are-held",
        "a worker that freezes holds one tick, which the broker gives to another",
        KEEPER,
        "self._wait_for_next_second()\n",
        "self._handle(self._wait_for_tick(self._connection, 0), ticks)\n",
        (f"{KEEPER_TESTS}::test_one_tick_is_held_at_a_time",),
    ),
    Mutant(
        "tick-held-by-a-child",
        "a child that a task forks does not keep a tick reserved",
        KEEPER,
        "self._connection.close()",
        "pass",
        (f"{KEEPER_TESTS}::test_fork",),
    ),
]
