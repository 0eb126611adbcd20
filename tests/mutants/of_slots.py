"""Faults in taking jobs: slots, heartbeat, admission and stop."""

from .mutant import Mutant

DRAINING = ("tests/worker/slots/test_draining.py",)
SLOT = "jobqueue/worker/slots/slot.py"
HEARTBEAT = "jobqueue/worker/slots/heartbeat.py"
ADMISSION = "jobqueue/worker/slots/admission.py"
MANAGER = "jobqueue/worker/slots/manager.py"

OF_SLOTS = [
    Mutant(
        "retry-deleted-at-a-drain",
        "a job that fails while its worker drains is tried again",
        SLOT,
        "return reservation.settle(decision.outcome, reserve=reserve)",
        "outcome = SUCCEEDED.outcome if reserve is None else decision.outcome\n"
        "        return reservation.settle(outcome, reserve=reserve)",
        DRAINING,
    ),
    Mutant(
        "only-the-first-job-touched",
        "every running job is touched",
        HEARTBEAT,
        "for reservation in self._running()\n",
        "for reservation in list(self._running())[:1]\n",
        ("tests/worker/slots/test_heartbeat.py",),
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
        DRAINING,
    ),
    Mutant(
        "requested-job-left-at-a-drain",
        "a job that was requested with the last verdict runs",
        SLOT,
        "if self._stopping.is_set() and not connection.awaits_job:",
        "if self._stopping.is_set():",
        DRAINING,
    ),
    Mutant(
        "no-look-before-the-cut",
        "a job that has just come runs, though its slot is being stopped",
        SLOT,
        "if self._is_waiting and connection.has_received():",
        "if connection is None:",
        DRAINING,
    ),
    Mutant(
        "runs-though-cut",
        "no job runs whose connection was cut just as it came",
        SLOT,
        "if self._is_interrupted:\n",
        "if connection is None:\n",
        DRAINING,
    ),
    Mutant(
        "newest-id-kept",
        "a worker stops asking for counts soon after a reconnect, if ids begin again",
        ADMISSION,
        "self._newest = 0  # a broker",
        "pass  # a broker",
        ("tests/worker/slots/test_admission.py",),
    ),
]
