"""Faults in running a job, and in the rule that decides what becomes of it."""

from .mutant import Mutant

BODY = "jobqueue/job/body.py"
EVENT_LOOP = "jobqueue/worker/running/event_loop.py"
EXECUTOR = "jobqueue/worker/running/executor.py"
HOOKS = "jobqueue/worker/running/hooks.py"
OUTCOME = "jobqueue/job/outcome.py"
SIGNING = "jobqueue/job/signing.py"
THREAD_GUARD = "jobqueue/worker/running/thread_guard.py"
TIME_LIMIT = "jobqueue/worker/running/time_limit.py"
BODY_TESTS = "tests/job/test_body.py"
EXECUTOR_TESTS = "tests/worker/running/test_executor.py"
HOOKS_TESTS = "tests/worker/running/test_hooks.py"
LAST_RUN_TESTS = "tests/job/test_last_run.py"
OUTCOME_TESTS = "tests/job/test_outcome.py"
SIGNING_TESTS = "tests/job/test_signing.py"
THREAD_GUARD_TESTS = "tests/worker/running/test_thread_guard.py"
TIME_LIMIT_TESTS = "tests/worker/running/test_time_limit.py"

OF_JOB = [
    Mutant(
        "late-limit",
        "a job is interrupted at its time limit",
        TIME_LIMIT,
        "due = time.monotonic() + seconds",
        "due = time.monotonic() + seconds * 3",
        (f"{TIME_LIMIT_TESTS}::test_limits_of_several_jobs",),
    ),
    Mutant(
        "limit-after-a-longer-one",
        "a time limit holds, however long the limits of other jobs are",
        TIME_LIMIT,
        "if due < self._looks_at:",
        "if not self._watched:",
        (f"{TIME_LIMIT_TESTS}::test_limits_of_several_jobs",),
    ),
    Mutant(
        "retries-without-end",
        "a job is tried again as often as retries say",
        OUTCOME,
        "if is_retried and policy.retries_left(stats):",
        "if is_retried:",
        (f"{OUTCOME_TESTS}::test_no_retries",),
    ),
    Mutant(
        "kick-grants-nothing",
        "each kick grants all retries anew",
        OUTCOME,
        "self.retries * stats.allowances - stats.releases",
        "self.retries - stats.releases",
        (f"{OUTCOME_TESTS}::test_retries",),
    ),
    Mutant(
        "one-kick-too-many",
        "a job is deleted when it fails after max_kicks kicks",
        OUTCOME,
        "stats.kicks >= policy.max_kicks",
        "stats.kicks > policy.max_kicks",
        (f"{OUTCOME_TESTS}::test_no_retries",),
    ),
    Mutant(
        "retry-loses-its-priority",
        "a retry keeps the job's priority",
        OUTCOME,
        "return Released(stats.priority, _delay(",
        "return Released(65536, _delay(",
        (f"{OUTCOME_TESTS}::test_retries",),
    ),
    Mutant(
        "one-loss-too-many",
        "with max_lost=1 a job that was lost never runs again",
        OUTCOME,
        "self.max_lost == 1 and stats.lost >= stats.allowances",
        "self.max_lost == 1 and stats.lost > stats.allowances",
        (f"{LAST_RUN_TESTS}::test_one_run",),
    ),
    Mutant(
        "last-run-too-late",
        "a job runs max_lost times at most before it stays buried",
        OUTCOME,
        "<= (-1 if self.retries_left(stats) else 0)",
        "<= (-2 if self.retries_left(stats) else -1)",
        (f"{LAST_RUN_TESTS}::test_last_run",),
    ),
    Mutant(
        "last-chance-too-late",
        "jobs before their last run are known",
        OUTCOME,
        "return self._spare_losses(stats) <= 0",
        "return self._spare_losses(stats) < 0",
        (f"{LAST_RUN_TESTS}::test_last_run",),
    ),
    Mutant(
        "exit-ends-the-worker",
        "no task ends its worker",
        EXECUTOR,
        "except BaseException as caught:",
        "except Exception as caught:",
        (f"{EXECUTOR_TESTS}::test_any_exception_is_a_failure",),
    ),
    Mutant(
        "misfit-runs-again",
        "arguments that do not fit bury the job",
        EXECUTOR,
        "        if not _fits(call):\n",
        "        if call is None:\n",
        (f"{EXECUTOR_TESTS}::test_wrong_arguments",),
    ),
    Mutant(
        "hook-hides-a-failure",
        "a hook that swallows the error hides no failure",
        HOOKS,
        "                _refuse_second_yield(steps, outermost)\n        raise\n",
        "                _refuse_second_yield(steps, outermost)\n        return\n",
        (f"{HOOKS_TESTS}::test_failure",),
    ),
    Mutant(
        "any-signature",
        "a job that was signed with another secret does not run",
        SIGNING,
        "if hmac.compare_digest(signature, _signature(secret, content)):",
        "if len(signature) == len(_signature(secret, content)):",
        (f"{SIGNING_TESTS}::test_several_secrets",),
    ),
    Mutant(
        "limit-in-a-lock",
        "a time limit leaves no lock of logging or threading locked",
        THREAD_GUARD,
        "if name in _NAMES or module in _TAKE_LOCKS:",
        "if name in _NAMES:",
        (f"{THREAD_GUARD_TESTS}::test_locks_of_log_handlers",),
    ),
    Mutant(
        "limit-in-jobqueue",
        "a time limit never strikes inside of jobqueue",
        THREAD_GUARD,
        "if is_own and (module, name) != _CALL_OF_A_TASK:",
        "if not module:",
        (f"{THREAD_GUARD_TESTS}::test_own_calls",),
    ),
    Mutant(
        "async-limit-lost",
        "an async task that has not begun is interrupted, too",
        EVENT_LOOP,
        "        if self._is_expired:  # before",
        "        if self._has_ended:  # before",
        (f"{TIME_LIMIT_TESTS}::test_limit_before_the_first_step",),
    ),
    Mutant(
        "loop-that-did-not-start",
        "a thread that could not be started is tried again",
        EVENT_LOOP,
        "                try:\n                    self._thread = start_thread(",
        "                self._loop = loop\n"
        "                try:\n                    self._thread = start_thread(",
        ("tests/worker/running/test_refused_threads.py",),
    ),
    Mutant(
        "nan-in-a-body",
        "values that JSON can't carry are refused at the put",
        BODY,
        "ensure_ascii=False, allow_nan=False",
        "ensure_ascii=False, allow_nan=True",
        (f"{BODY_TESTS}::test_not_json",),
    ),
    Mutant(
        "limit-lost-in-own-calls",
        "a time limit holds for a task that does nothing but put jobs",
        THREAD_GUARD,
        "            self._is_awaited = True\n",
        "            self._is_awaited = False\n",
        (f"{THREAD_GUARD_TESTS}::test_own_calls",),
    ),
]
