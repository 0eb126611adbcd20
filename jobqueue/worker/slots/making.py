"""The slots of a worker, and what they share."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.worker.processes.status_board import StatusBoard
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.executor import Executor
from jobqueue.worker.settings import Settings
from jobqueue.worker.slots.admission import Admission, GuardState
from jobqueue.worker.slots.outage import Outage
from jobqueue.worker.slots.slot import Slot

if TYPE_CHECKING:
    from jobqueue.worker.slots.failure_notes import FailureNotes


def make_slots(
    settings: Settings,
    status_board: StatusBoard,
    *,
    executor: Executor,
    reporter: Reporter,
    notes: "FailureNotes | None",
    on_job_begin: Callable[[], None],
    on_job_ran: Callable[[], None],
) -> list[Slot]:
    """Return the slots of a worker, one for each status on its board."""
    timings, address = settings.timings, settings.address
    status_board.longest_turn = timings.longest_turn(address.timeout)
    outage = Outage(address, reporter, status_board)
    guard_state = GuardState(timings)
    connect = functools.partial(
        ConsumerConnection, address, is_lone=settings.threads == 1
    )
    return [
        Slot(
            connect,
            settings.tubes,
            executor=executor,
            admission=Admission(
                guard_state, reporter, has_many_tubes=len(settings.tubes) > 1
            ),
            outage=outage,
            reporter=reporter,
            slot_status=slot_status,
            on_job_begin=on_job_begin,
            on_job_ran=on_job_ran,
            notes=notes,
            burst=settings.burst,
            timings=timings,
        )
        for slot_status in status_board.slot_statuses
    ]
