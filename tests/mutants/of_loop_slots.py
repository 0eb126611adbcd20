"""Faults of slots on the event loop."""

from .mutant import Mutant

CONSUMING = "jobqueue/broker/loop_consuming.py"
LOG_ROOM = "jobqueue/worker/reporting/log_room.py"
LOOP_CALL = "jobqueue/worker/running/loop_call.py"
LOOP_SLOT = "jobqueue/worker/slots/loop_slot.py"
LOOP_WAITS = "jobqueue/worker/slots/loop_waits.py"
LEFT_BEHIND_TESTS = "tests/worker/running/test_left_behind.py"
LOOP_TESTS = "tests/worker/slots/test_loop_slots.py"
MANAGER_TESTS = "tests/worker/slots/test_manager.py"
TROUBLE_TESTS = "tests/worker/slots/test_loop_slots_in_trouble.py"

OF_LOOP_SLOTS = [
    Mutant(
        "loop-waits-for-the-log",
        "a log that nobody reads holds up no running job",
        LOG_ROOM,
        "return len(poll.poll(0)) == len(fds)",
        "return True",
        (f"{TROUBLE_TESTS}::test_log_that_nobody_reads",),
    ),
    Mutant(
        "blocked-loop-keeps-jobs",
        "a job that comes while the loop is blocked is touched",
        LOOP_SLOT,
        "elif now - self._asked_at > _BLOCKED_AFTER:",
        "elif False:",
        (f"{TROUBLE_TESTS}::test_blocked_loop",),
    ),
    Mutant(
        "call-fails-with-the-loop-before",
        "a job that had not begun when its loop ended runs on the next",
        LOOP_WAITS,
        "if not loop_call.has_begun:",
        "if False:",
        (f"{TROUBLE_TESTS}::test_loop_is_closed",),
    ),
    Mutant(
        "silent-broker-unnoticed",
        "a broker that does not answer a slot on the loop is noticed",
        CONSUMING,
        "            self._fail(TimeoutError())",
        "            pass",
        (f"{MANAGER_TESTS}::test_frozen_broker",),
    ),
    Mutant(
        "child-cuts-its-parents-connection",
        "a child that a task forks leaves the worker's connections alone",
        CONSUMING,
        "if self._process != os.getpid():",
        "if False:",
        (f"{TROUBLE_TESTS}::test_fork",),
    ),
    Mutant(
        "sync-task-on-the-loop",
        "a sync task that was decorated later does not run on the loop",
        LOOP_WAITS,
        "if not runs_on_loop(call.task):",
        "if False:",
        (f"{LOOP_TESTS}::test_task_decorated_later",),
    ),
    Mutant(
        "done-job-cancelled",
        "a job that cancels itself at its last step has succeeded",
        LOOP_CALL,
        "if task.cancelled() and not self._was_awaited:",
        "if task.cancelled():",
        (f"{LEFT_BEHIND_TESTS}::test_cancelled_at_its_last_step",),
    ),
]
