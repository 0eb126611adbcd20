"""The parts of a worker, made of its settings."""

import functools
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.job.outcome import RunLater
from jobqueue.task.registry import subscriber
from jobqueue.worker.patched import has_real_threads
from jobqueue.worker.processes.status_board import StatusBoard
from jobqueue.worker.reporting.reporter import Reporter
from jobqueue.worker.running.event_loop import EventLoop
from jobqueue.worker.running.executor import Executor, ReservedJob
from jobqueue.worker.running.time_limit import TimeLimits
from jobqueue.worker.settings import Settings
from jobqueue.worker.slots.admission import Admission, GuardState
from jobqueue.worker.slots.heartbeat import Heartbeat
from jobqueue.worker.slots.loop_waits import runs_on_loop
from jobqueue.worker.slots.outage import Outage
from jobqueue.worker.slots.reservation import Reservation
from jobqueue.worker.slots.slot import Slot
from jobqueue.worker.slots.slot_thread import RunningSlot, SlotEnded, SlotThread
from jobqueue.worker.slots.stuck_jobs import StuckJob

if TYPE_CHECKING:
    from jobqueue.worker.slots.failure_notes import FailureNotes

Starter = Callable[[Slot, Callable[[SlotEnded], object]], RunningSlot]


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


def make_heartbeat(
    settings: Settings,
    status_board: StatusBoard,
    reporter: Reporter,
    running: Callable[[], Collection[Reservation]],
) -> Heartbeat:
    """Return the heartbeat of the running jobs, not started yet."""
    return Heartbeat(
        running, reporter, settings.timings, settings.address, status_board.beat
    )


def make_time_limits(
    settings: Settings, on_stuck: Callable[[StuckJob], object]
) -> TimeLimits[ReservedJob]:
    """Return what interrupts jobs at their time limit; of no cost if none has one."""
    limits: TimeLimits[ReservedJob] = TimeLimits(
        lambda job, guard: on_stuck(
            StuckJob(job, guard.is_held_up(), guard.is_loop_blocked())
        ),
        settings.timings,
    )
    tasks = subscriber.tasks(settings.tubes)
    if settings.time_limit or any(task.time_limit for task in tasks):
        limits.prepare()
    return limits


def make_executor(
    settings: Settings, limits: TimeLimits[ReservedJob], event_loop: EventLoop
) -> Executor:
    """Return what runs the jobs."""
    find = subscriber.find_in(settings.tubes)
    return Executor(find, limits, event_loop, settings.time_limit)


def starter(
    settings: Settings, executor: Executor, event_loop: EventLoop, heartbeat: Heartbeat
) -> Starter:
    """Return what starts a slot: on the event loop, if all its jobs are to run there.

    Sync tasks need threads, and so do those about whose jobs the broker is asked first.
    Where no thread can be real, or the loop takes no sockets, async tasks do, too.
    """
    tasks = subscriber.tasks(settings.tubes)
    can_wait = has_real_threads() and sys.platform != "win32"
    need_no_threads = all(
        runs_on_loop(task) and task.options.max_age is None for task in tasks
    )
    if can_wait and tasks and need_no_threads:
        from jobqueue.worker.slots.loop_slot import SharedLoop  # noqa: PLC0415 - asyncio

        with suppress(RunLater):  # the loop can't be started now: threads try again
            shared = SharedLoop(settings.address, executor, event_loop)
            heartbeat.call_at_beats(shared.look, may_sleep=shared.is_idle)
            return shared.start
    return SlotThread
