"""Changes of one thing: a job, or the pause of a tube."""

import json
from collections.abc import Callable, Iterable

from starlette.exceptions import HTTPException

from jobqueue.broker.put_options import PutOptions
from jobqueue.operating.formatting import duration
from jobqueue.safe_text import one_line
from jobqueue.web.actions.changes import Back, Change, log
from jobqueue.web.actions.plan import DELETE, KICK, PUT, Asked, Plan, Words

_RUN = Words("Run now", "Running", "Ran")
_LONGEST_PAUSE = 365 * 86_400  # seconds


def kick_job(asked: Asked) -> Plan:
    """Kick a buried job."""
    job_id = asked.job_id()

    def make(change: Change) -> Iterable[object]:
        kicked = asked.site.operator.kick(job_id)
        change.step(kicked)
        change.summary = f"Kicked job {job_id}"
        if not kicked:
            change.problem = f"Job {job_id} was not kicked: it is not buried any more"
        return ()

    return _of_job(asked, job_id, KICK, make)


def delete_job(asked: Asked) -> Plan:
    """Delete a job."""
    job_id = asked.job_id()

    def make(change: Change) -> Iterable[object]:
        deleted = asked.site.operator.delete(job_id)
        change.step(deleted)
        change.summary = f"Deleted job {job_id}"
        if not deleted:
            change.problem = (
                f"Job {job_id} was not deleted: it is gone, or reserved by a worker"
            )
        return ()

    plan = _of_job(asked, job_id, DELETE, make)
    return plan._replace(is_quick=False, is_for_good=True, hint="There is no way back.")


def put_job_again(asked: Asked) -> Plan:
    """Put a job again that was deleted for its kicks."""
    job_id = asked.job_id()

    def make(change: Change) -> Iterable[object]:
        new_id = asked.site.operator.put_failed(job_id)
        if new_id is None:
            change.problem = f"The body of job {job_id} is not noted: it can't be put"
        else:
            change.summary = f"Job {job_id} was put again, as job {new_id}"
            change.new_job = new_id
            log(f"Put job {job_id} again", change.who, [new_id])
        return ()

    return _of_job(asked, job_id, PUT, make)


def pause(asked: Asked) -> Plan:
    """Pause a tube."""
    return _pause(asked, asked.number("seconds", 1, _LONGEST_PAUSE))


def resume(asked: Asked) -> Plan:
    """End the pause of a tube."""
    return _pause(asked, 0)


def put(asked: Asked) -> Plan:
    """Put a job by the name of its function."""
    tube = asked.needed("tube")
    options = PutOptions(
        delay=asked.number("delay"),
        priority=asked.number("priority"),
        ttr=asked.number("ttr", 1),
    )
    func_name = asked.needed("func_name").strip()
    kwargs = _arguments(asked.form.get("kwargs") or "{}")

    def make(change: Change) -> Iterable[object]:
        job_id = asked.site.operator.put(tube, func_name, kwargs, options)
        change.summary = f"Job {job_id} was put into tube {tube!r}"
        change.new_job = job_id
        log(f"Put {func_name} into tube {tube!r}", change.who, [job_id])
        return ()

    where = f"{one_line(func_name)} into tube {tube!r}"
    change = Change("Putting", "Put", asked.who, where)
    back = Back("/tube", {"name": tube})
    return Plan("Put a job?", "Put", back, change, make, is_quick=True)


def run_schedule(asked: Asked) -> Plan:
    """Put a job of a periodic task now."""
    name = asked.needed("name")

    def make(change: Change) -> Iterable[object]:
        job_id = asked.site.operator.run_schedule(name)
        if job_id is None:
            change.problem = f"There is no schedule {name!r} any more"
        else:
            change.summary = f"Job {job_id} of {name} was put"
            change.new_job = job_id
            log(f"Put a job of the schedule {name!r}", change.who, [job_id])
        return ()

    return _of_schedule(asked, _RUN, f"Run {name} now?", make)


def delete_schedule(asked: Asked) -> Plan:
    """Delete the schedule of a task that is gone."""
    name = asked.needed("name")

    def make(change: Change) -> Iterable[object]:
        if asked.site.operator.delete_schedule(name):
            change.summary = f"The schedule {name} was deleted"
            log(f"Deleted the schedule {name!r}", change.who)
        else:
            change.problem = f"There is no schedule {name!r} any more"
        return ()

    plan = _of_schedule(asked, DELETE, f"Delete the schedule {name}?", make)
    return plan._replace(
        is_for_good=True,
        hint="Do so if its task was renamed or removed: a worker that has the task "
        "makes it again.",
    )


def _of_schedule(
    asked: Asked,
    words: Words,
    question: str,
    make: Callable[[Change], Iterable[object]],
) -> Plan:
    where = f"the schedule {asked.needed('name')!r}"
    change = Change(words.doing, words.done, asked.who, where, total=1)
    button = words.verb
    return Plan(question, button, Back("/schedules", {}), change, make)


def _of_job(
    asked: Asked,
    job_id: int,
    words: Words,
    make: Callable[[Change], Iterable[object]],
) -> Plan:
    return Plan(
        question=f"{words.verb} job {job_id}?",
        button=f"{words.verb} the job",
        back=Back(f"/jobs/{job_id}", {}),
        change=Change(
            doing=words.doing,
            done=words.done,
            who=asked.who,
            where=f"(job {job_id})",
            total=1,
            at_stake=[job_id],
        ),
        steps=make,
        is_quick=True,
    )


def _pause(asked: Asked, seconds: int) -> Plan:
    tube = asked.needed("tube")

    def make(change: Change) -> Iterable[object]:
        if not asked.site.operator.pause(tube, seconds):
            change.problem = f"There is no tube {tube!r} any more"
            return ()
        if seconds:
            change.summary = f"Tube {tube!r} is paused for {duration(seconds)}"
            log(f"Paused tube {tube!r} for {seconds} s", change.who)
        else:
            change.summary = f"Tube {tube!r} hands out jobs again"
            log(f"Resumed tube {tube!r}", change.who)
        return ()

    done = ("Pausing", "Paused") if seconds else ("Resuming", "Resumed")
    change = Change(*done, asked.who, f"tube {tube!r}")
    back = Back("/tube", {"name": tube})
    return Plan("Pause the tube?", "Pause", back, change, make, is_quick=True)


def _arguments(text: str) -> dict[str, object]:
    """Return the arguments of a job, from a JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"The arguments are not JSON: {error}.") from None
    if isinstance(value, dict):
        return value
    raise HTTPException(400, 'The arguments have to be an object: {"name": value}.')
