"""The command schedules: the periodic tasks, and one of their jobs put now."""

from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.screen.schedule_table import table_of
from jobqueue.admin.session import Session
from jobqueue.errors import OptionError
from jobqueue.operating.schedules import held_by_workers


def schedules(session: Session) -> int:
    """Show all schedules; or put a job of one now, or delete one."""
    action, name = session.options.action, session.options.name
    if action is None:
        return _show(session)
    if name is None:
        raise UsageError(f"the following arguments are required: {action} NAME")
    return _run(session, name) if action == "run" else _delete(session, name)


def _show(session: Session) -> int:
    console, found = session.console, session.operator.schedules()
    if console.as_json:
        console.json({"schedules": [schedule.as_dict() for schedule in found]})
    elif found:
        console.table(table_of(found))
    held = held_by_workers(session.connection, found)
    if held:
        console.note(
            f"Not shown, as a worker holds it: {', '.join(held)}. If that stays so, "
            "the worker is frozen, or its machine is gone: end it, or its connection"
        )
    elif not found:
        console.note("There is no schedule: a worker that has a periodic task makes it")
    unkept = sum(not schedule.workers for schedule in found)
    if unkept:
        console.note(
            f"No worker has {unkept} of them: start one; or if the task is gone, "
            "`jobqueue schedules delete NAME`"
        )
    return 0 if found else 1


def _run(session: Session, name: str) -> int:
    job_id = session.operator.run_schedule(name)
    if job_id is None:
        raise _unknown(name)
    if session.console.as_json:
        session.console.json({"id": job_id})
    else:
        session.console.line(str(job_id))
    return 0


def _delete(session: Session, name: str) -> int:
    try:
        if not session.operator.delete_schedule(name):
            raise _unknown(name)
    except OptionError as error:  # it is in use
        raise CommandError(str(error)) from None
    if session.console.as_json:
        session.console.json({"deleted": 1})
    else:
        session.console.line(f"Deleted the schedule {name}")
    return 0


def _unknown(name: str) -> CommandError:
    return CommandError(
        f"there is no schedule {name!r}: `jobqueue schedules` shows all of them"
    )
