"""Faults in several processes: supervisor and children."""

from .mutant import Mutant

PARENT_WATCH = "jobqueue/worker/processes/parent_watch.py"
SEAT = "jobqueue/worker/processes/seat.py"
SUPERVISOR = "jobqueue/worker/processes/supervisor.py"
PARENT_WATCH_TESTS = "tests/worker/processes/test_parent_watch.py"
TIME_LIMIT_TESTS = "tests/worker/processes/test_time_limits.py"
CRASHES_TESTS = "tests/worker/processes/test_crashes.py"
SEAT_TESTS = "tests/worker/processes/test_seat.py"
STATUS_BOARD = "jobqueue/worker/processes/status_board.py"
HEALTH_TESTS = "tests/worker/processes/test_health.py"
QUIET_TESTS = "tests/worker/test_quiet.py"
STOPPING_TESTS = "tests/worker/processes/test_stopping.py"

OF_PROCESSES = [
    Mutant(
        "orphans-go-on",
        "processes stop when their supervisor is killed",
        PARENT_WATCH,
        "self._on_stop(reason.decode() or PARENT_IS_GONE)",
        "self._on_stop(reason.decode()) if reason else None",
        (f"{PARENT_WATCH_TESTS}::test_supervisor_is_gone",),
    ),
    Mutant(
        "dead-process-not-replaced",
        "a process that dies is replaced",
        SUPERVISOR,
        "        elif not seat.is_done and not has_left:\n",
        "        elif not seat.is_done and not has_left:\n"
        "            seat.is_done = True\n",
        (f"{CRASHES_TESTS}::test_process_dies_when_idle",),
    ),
    Mutant(
        "restarts-without-a-pause",
        "processes that die young are restarted after a pause",
        SEAT,
        "        if self.early_deaths > 1:\n",
        "        if self.early_deaths < 1:\n",
        (f"{SEAT_TESTS}::test_processes_that_die_young",),
    ),
    Mutant(
        "pipe-kept-by-a-sibling",
        "a process learns of its supervisor's end while others still run",
        SUPERVISOR,
        "                process.close_pipe()  # only",
        "                pass  # only",
        (f"{STOPPING_TESTS}::test_killed_supervisor_of_busy_processes",),
    ),
    Mutant(
        "suspended-taken-for-hung",
        "a process that was suspended has time to end a job that is past its limit",
        SUPERVISOR,
        "            self._awake_since = now\n",
        "            pass\n",
        (f"{TIME_LIMIT_TESTS}::test_suspended_past_the_time_limit",),
    ),
    Mutant(
        "quiet-forgotten-by-the-next",
        "a process that takes the place of a quiet one is quiet, too",
        SUPERVISOR,
        "                is_quiet=self._is_quiet,\n",
        "",
        (f"{QUIET_TESTS}::test_several_processes",),
    ),
    Mutant(
        "end-of-a-job-is-no-turn",
        "a slot that has run a long job is healthy when that ends",
        STATUS_BOARD,
        "        super().end()\n        self.turn()\n",
        "        super().end()\n",
        (f"{HEALTH_TESTS}::test_end_of_a_long_job",),
    ),
    Mutant(
        "probe-waits-for-a-scrape",
        "a broker that is silent holds up no probe",
        "jobqueue/worker/ports.py",
        "process_log.request_failed, pages.is_slow\n",
        "process_log.request_failed\n",
        ("tests/worker/test_health.py::test_beside_the_metrics",),
    ),
    Mutant(
        "same-text-is-a-change",
        "a file that is saved with the same text reloads nothing",
        "jobqueue/worker/reloading.py",
        "return _content(path) != self._contents.get(path)",
        "return True",
        ("tests/worker/test_reload.py::test_what_is_no_change",),
    ),
]
