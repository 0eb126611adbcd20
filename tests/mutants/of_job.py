"""Faults in running a job, and in the rule that decides what becomes of it."""

from .mutant import Mutant

TIME_LIMIT = "jobqueue/worker/running/time_limit.py"

OF_JOB = [
    Mutant(
        "late-limit",
        "a job is interrupted at its time limit",
        TIME_LIMIT,
        "_Watched(time.monotonic() + seconds, job)",
        "_Watched(time.monotonic() + seconds * 3, job)",
        ("tests/worker/running/test_time_limit.py",),
    ),
    Mutant(
        "limit-after-a-longer-one",
        "a time limit holds, however long the limits of other jobs are",
        TIME_LIMIT,
        "if watched.due < self._looks_at:",
        "if not self._watched:",
        ("tests/worker/running/test_time_limit.py",),
    ),
]
