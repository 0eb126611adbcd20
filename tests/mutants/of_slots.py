"""Faults in taking jobs: slots, heartbeat, admission and stop."""

from .mutant import Mutant

SLOT = "jobqueue/worker/slots/slot.py"
JOB_END = "jobqueue/worker/slots/job_end.py"
HEARTBEAT = "jobqueue/worker/slots/heartbeat.py"
ADMISSION = "jobqueue/worker/slots/admission.py"
MANAGER = "jobqueue/worker/slots/manager.py"
OUTAGE = "jobqueue/worker/slots/outage.py"
RESERVATION = "jobqueue/worker/slots/reservation.py"
SHUTDOWN = "jobqueue/worker/slots/shutdown.py"
STUCK = "jobqueue/worker/slots/stuck_jobs.py"
ADMISSION_TESTS = "tests/worker/slots/test_admission.py"
DRAINING_TESTS = "tests/worker/slots/test_draining.py"
FORKS_TESTS = "tests/worker/test_forks.py"
HEARTBEAT_TESTS = "tests/worker/slots/test_heartbeat.py"
KEEPING_OUT_TESTS = "tests/test_keeping_out.py"
MANAGER_TESTS = "tests/worker/slots/test_manager.py"
SHUTDOWN_TESTS = "tests/worker/slots/test_shutdown.py"
SLOT_TESTS = "tests/worker/slots/test_slot.py"

OF_SLOTS = [
    Mutant(
        "retry-deleted-at-a-drain",
        "a job that fails while its worker drains is tried again",
        SLOT,
        "            is_settled = reservation.settle_failed(",
        "            if reserve is None:\n"
        "                from jobqueue.broker.settlement import DONE\n"
        "                reservation.settle(DONE, reserve=None)\n"
        "                return decision\n"
        "            is_settled = reservation.settle_failed(",
        (f"{DRAINING_TESTS}::test_failure_during_a_drain",),
    ),
    Mutant(
        "only-the-first-job-touched",
        "every running job is touched",
        HEARTBEAT,
        "for reservation in self._running()\n",
        "for reservation in list(self._running())[:1]\n",
        (f"{HEARTBEAT_TESTS}::test_one_connection_holds_up_no_other",),
    ),
    Mutant(
        "gives-up-after-an-outage",
        "a worker waits for a lost broker, however long",
        SLOT,
        "        self._outage.begin(error)\n",
        "        self._outage.begin(error)\n"
        "        self._waited = getattr(self, '_waited', 0) + self._pause\n"
        "        if self._waited > 1.5:\n"
        "            self._stopping.set()\n",
        (f"{DRAINING_TESTS}::test_outage_of_an_hour",),
    ),
    Mutant(
        "requested-job-left-at-a-drain",
        "a job that was requested with the last verdict runs",
        SLOT,
        "if self._stopping.is_set() and not connection.awaits_job:",
        "if self._stopping.is_set():",
        (f"{DRAINING_TESTS}::test_job_that_was_requested_before_the_stop",),
    ),
    Mutant(
        "no-look-before-the-cut",
        "a job that has just come runs, though its slot is being stopped",
        SLOT,
        "if self._is_waiting and connection.has_received():",
        "if connection is None:",
        (f"{DRAINING_TESTS}::test_look_before_the_cut",),
    ),
    Mutant(
        "runs-though-cut",
        "no job runs whose connection was cut just as it came",
        SLOT,
        "if self._is_interrupted:\n",
        "if connection is None:\n",
        (f"{DRAINING_TESTS}::test_job_that_comes_at_the_cut",),
    ),
    Mutant(
        "begins-at-the-exit",
        "no job begins in a process that is about to end",
        SLOT,
        "        if self._is_abandoned:\n",
        "        if self._is_interrupted:\n",
        (f"{DRAINING_TESTS}::test_job_that_comes_at_the_exit",),
    ),
    Mutant(
        "newest-id-kept",
        "a worker stops asking for counts soon after a reconnect, if ids begin again",
        ADMISSION,
        "self._newest = 0  # a broker",
        "pass  # a broker",
        (f"{ADMISSION_TESTS}::test_ids_begin_again",),
    ),
    Mutant(
        "touched-once-in-a-ttr",
        "a job is touched three times in its time to run",
        HEARTBEAT,
        "TOUCHES_PER_TTR = 3",
        "TOUCHES_PER_TTR = 1",
        (f"{HEARTBEAT_TESTS}::test_pause_between_touches",),
    ),
    Mutant(
        "running-killer-not-buried",
        "a job that was lost too often is buried while it runs",
        HEARTBEAT,
        "if is_due and reservation.bury_doubted(stats):",
        "if not is_due and reservation.bury_doubted(stats):",
        (f"{ADMISSION_TESTS}::test_late_counts_bury_a_running_job",),
    ),
    Mutant(
        "killer-runs-again",
        "with max_lost=1 a job that was lost is not called again",
        ADMISSION,
        "            task.policy.check_lost(stats)\n",
        "            pass\n",
        (f"{ADMISSION_TESTS}::test_lost_once",),
    ),
    Mutant(
        "last-run-without-a-burial",
        "a job is buried before its last run",
        ADMISSION,
        "                self._bury_first(reservation, stats)\n",
        "                pass\n",
        (f"{ADMISSION_TESTS}::test_crash_loop",),
    ),
    Mutant(
        "last-chances-together",
        "jobs on their last chance run one after the other",
        ADMISSION,
        "            if is_stopping is None or is_stopping():\n"
        "                raise RunLater(_ANOTHER_RUNS)\n",
        "            return\n",
        (f"{ADMISSION_TESTS}::test_one_last_chance_at_a_time",),
    ),
    Mutant(
        "trusted-at-once",
        "a new worker checks each job for a while",
        ADMISSION,
        "self._trusts = self._state.seconds_since_first_job() > enough",
        "self._trusts = True",
        (f"{ADMISSION_TESTS}::test_suspect_until_proved",),
    ),
    Mutant(
        "lost-reservation-trusted",
        "a job is checked after its process was frozen",
        JOB_END,
        "        admission.distrust()\n",
        "",
        (f"{DRAINING_TESTS}::test_lost_reservation_brings_doubt",),
    ),
    Mutant(
        "lost-connection-trusted",
        "a job is checked after its connection was lost",
        SLOT,
        "                    self._admission.distrust()\n"
        "                    if not self._stopping",
        "                    if not self._stopping",
        (f"{DRAINING_TESTS}::test_outage_of_an_hour",),
    ),
    Mutant(
        "signature-of-another-tube",
        "a signed job runs only from the tube that it was signed for",
        ADMISSION,
        "if may_be_moved and stats.tube != task.tube:",
        "if may_be_moved and not stats.tube:",
        (f"{KEEPING_OUT_TESTS}::test_replay_into_another_tube",),
    ),
    Mutant(
        "job-lost-in-admission-counts",
        "a job whose broker was lost before the call has not failed",
        SLOT,
        "                except BrokerError:\n                    raise  # the job",
        "                except SystemError:\n                    raise  # the job",
        (f"{SLOT_TESTS}::test_broker_lost_in_admission",),
    ),
    Mutant(
        "unwritten-body-deleted",
        "a job is deleted for its kicks only when its body was logged",
        JOB_END,
        "if not is_kept:",
        "if stats is None:",
        (f"{SLOT_TESTS}::test_body_that_nobody_keeps",),
    ),
    Mutant(
        "failed-doubted-job-deleted",
        "a doubted job is deleted only if it succeeds",
        JOB_END,
        "is_well = is_doubted and result.error is None",
        "is_well = is_doubted",
        (f"{ADMISSION_TESTS}::test_late_counts_bury_a_running_job",),
    ),
    Mutant(
        "doubted-job-stays-buried",
        "a doubted job that succeeds is deleted",
        JOB_END,
        "is_deleted = is_well and reservation.delete_buried()",
        "is_deleted = is_well",
        (f"{ADMISSION_TESTS}::test_neighbours_are_not_buried",),
    ),
    Mutant(
        "connection-kept-by-a-child",
        "a child that a task forks holds no copy of the connection",
        SLOT,
        "            self._connection.close()\n\n    def _work_on(",
        "            pass\n\n    def _work_on(",
        (f"{FORKS_TESTS}::test_forked_child_holds_no_job",),
    ),
    Mutant(
        "max-jobs-by-an-event",
        "a worker reserves no job that max_jobs forbids it to run",
        MANAGER,
        "            self.stop(StopReason.MAX_JOBS)\n",
        "            self.request_stop(StopReason.MAX_JOBS)\n",
        (f"{DRAINING_TESTS}::test_last_job_of_max_jobs",),
    ),
    Mutant(
        "drain-does-not-wait",
        "a worker that stops finishes the jobs that run",
        MANAGER,
        "if is_draining and begin_none and not self._running():",
        "if is_draining and begin_none:",
        (f"{MANAGER_TESTS}::test_stuck_job",),
    ),
    Mutant(
        "no-patience-for-arrivals",
        "a job that is on its way when a worker stops runs",
        MANAGER,
        "if not self._shutdown.has_lasted(self._timings.arrival_patience):",
        "if self._shutdown.phase is Phase.RUNNING:",
        (f"{DRAINING_TESTS}::test_patience_for_a_job_on_its_way",),
    ),
    Mutant(
        "held-up-job-buried",
        "a job that another one holds up is not buried",
        STUCK,
        "is_buried = not is_held_up and reservation.bury(",
        "is_buried = reservation.bury(",
        (f"{MANAGER_TESTS}::test_job_blocked_by_another",),
    ),
    Mutant(
        "outage-logged-by-each-slot",
        "an outage is logged once",
        OUTAGE,
        "            if not self._is_on:\n"
        "                self._reporter.broker_lost(error)",
        "            if error:\n                self._reporter.broker_lost(error)",
        (f"{MANAGER_TESTS}::test_broker_away",),
    ),
    Mutant(
        "settled-twice",
        "a job that was buried while it runs is not settled again",
        RESERVATION,
        "                return False\n"
        "            self.is_settled = True\n"
        "            return",
        "                pass\n            self.is_settled = True\n            return",
        (f"{ADMISSION_TESTS}::test_late_counts_bury_a_running_job",),
    ),
    Mutant(
        "touched-after-the-end",
        "a task can't touch a job that has ended",
        RESERVATION,
        "            return False\n            return self.is_buried or",
        "            pass\n            return self.is_buried or",
        (f"{HEARTBEAT_TESTS}::test_job_that_another_thread_talks_about",),
    ),
    Mutant(
        "no-deadline-of-a-stop",
        "a worker waits no longer than its shutdown timeout",
        SHUTDOWN,
        "self._deadline = min(self._deadline, at + self._shutdown_timeout)",
        "self._deadline = min(self._deadline, at + 3600)",
        (f"{SHUTDOWN_TESTS}::test_deadline",),
    ),
    Mutant(
        "second-signal-waits",
        "a second signal ends the wait for running jobs",
        SHUTDOWN,
        "            self._deadline = -math.inf\n",
        "            self._deadline = self._deadline\n",
        (f"{SHUTDOWN_TESTS}::test_first_request",),
    ),
]
