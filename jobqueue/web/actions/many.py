"""Changes of many jobs: of a group of failures, or of a whole tube."""

from collections.abc import Callable, Iterable, Sequence

from starlette.exceptions import HTTPException

from jobqueue.broker.server_stats import TubeStats
from jobqueue.broker.stats import JobState
from jobqueue.operating.formatting import number_of
from jobqueue.operating.operator import OnStep
from jobqueue.safe_text import one_line
from jobqueue.web.actions.changes import Back, Change, by_ids, in_chunks
from jobqueue.web.actions.last_kicks import GRANTED, last_kicks, last_kicks_noted
from jobqueue.web.actions.plan import (
    DELETE,
    KICK,
    PUT,
    Asked,
    Plan,
    Words,
    group_key,
    group_query,
)
from jobqueue.web.known_failures import GroupKey, GroupView

FOR_GOOD = "There is no way back."
FREE = (JobState.READY, JobState.DELAYED, JobState.BURIED)


def kick_group(asked: Asked) -> Plan:
    """Kick the buried jobs of a group of failures."""
    key, view = _group(asked)
    jobs = [view.jobs.get(job_id) for job_id in view.buried]
    hint = GRANTED + _beyond(view) + last_kicks(jobs, view.failures)
    kick = by_ids(asked.site.operator.kick)
    plan = _of_group(asked, key, KICK, view.buried, kick)
    return plan._replace(hint=hint)


def delete_group(asked: Asked) -> Plan:
    """Delete the buried jobs of a group of failures."""
    key, view = _group(asked)
    delete = by_ids(asked.site.operator.delete)
    plan = _of_group(asked, key, DELETE, view.buried, delete)
    return plan._replace(hint=FOR_GOOD + _beyond(view), is_for_good=True)


def put_group(asked: Asked) -> Plan:
    """Put the jobs of a group again that were deleted for their kicks."""
    key, view = _group(asked)
    operator = asked.site.operator

    def put_again(change: Change, ids: Sequence[int]) -> None:
        new_ids = operator.put_all_failed(key.tube, *ids)
        change.step([*new_ids.values()], was=[*new_ids])

    plan = _of_group(asked, key, PUT, view.deleted, put_again)
    return plan._replace(
        question=f"Put {number_of(len(view.deleted), 'deleted job')} again, "
        f"{_named(key)}?",
        hint="They were deleted for their kicks: they get new ids, and begin anew.",
    )


def kick_tube(asked: Asked) -> Plan:
    """Kick all buried jobs of a tube."""
    tube, operator = _tube(asked), asked.site.operator

    most = asked.counted(tube.buried)
    # By count means one by one: only if others were buried since they were counted.
    count = most if tube.buried > most else None

    def make(on_step: OnStep) -> object:
        return operator.kick_all(tube.tube, count=count, on_step=on_step)

    plan = _of_tube(asked, tube, KICK, JobState.BURIED, make)
    if not asked.is_question:
        return plan
    return plan._replace(hint=GRANTED + last_kicks_noted(asked.site.failures.of(tube)))


def clear_tube(asked: Asked) -> Plan:
    """Delete all jobs of a tube that are in one state."""
    tube, operator = _tube(asked), asked.site.operator
    state = asked.needed("state")
    if state not in FREE:
        raise HTTPException(400, "Only ready, delayed and buried jobs can be deleted.")

    most = asked.counted(tube.jobs_in([JobState(state)]))

    def make(on_step: OnStep) -> object:
        return operator.clear(tube.tube, state, count=most, on_step=on_step)

    plan = _of_tube(asked, tube, DELETE, JobState(state), make)
    return plan._replace(hint=FOR_GOOD, is_for_good=True)


def _group(asked: Asked) -> tuple[GroupKey, GroupView]:
    key = group_key(asked.form)
    site = asked.site
    tube = site.operator.tube(key.tube) or site.samples.counts().gone.get(key.tube)
    view = asked.site.failures.group(tube, key) if tube else None
    if view is None:
        raise HTTPException(404, "No such failure is noted any more.")
    return key, view


def _tube(asked: Asked) -> TubeStats:
    tube = asked.site.operator.tube(asked.needed("tube"))
    if tube is None:
        raise HTTPException(404, "There is no such tube any more.")
    return tube


def _of_group(
    asked: Asked,
    key: GroupKey,
    words: Words,
    ids: Sequence[int],
    make: Callable[[Change, Sequence[int]], None],
) -> Plan:
    where = f"of tube {key.tube!r}"
    if "ids" in asked.form:  # others may have failed alike since these were counted
        told = set(asked.ids())
        ids = [job_id for job_id in ids if job_id in told]
    return Plan(
        question=f"{words.verb} {number_of(len(ids), 'buried job')}, {_named(key)}?",
        button=f"{words.verb} {number_of(len(ids), 'job')}",
        back=Back("/failures/group", group_query(key)),
        change=Change(words.doing, words.done, asked.who, where, len(ids)),
        steps=in_chunks(ids, make),
        counted={"ids": ",".join(map(str, ids))},
    )


def _of_tube(
    asked: Asked,
    tube: TubeStats,
    words: Words,
    state: JobState,
    make: Callable[[OnStep], object],
) -> Plan:
    count = asked.counted(tube.jobs_in([state]))
    where = f"of tube {tube.tube!r}"

    def steps(change: Change) -> Iterable[object]:
        make(lambda jobs: change.step([job.id for job in jobs]))
        return ()

    return Plan(
        question=f"{words.verb} all {number_of(count, f'{state} job')} {where}?",
        button=f"{words.verb} {number_of(count, 'job')}",
        back=Back("/tube", {"name": tube.tube}),
        change=Change(words.doing, words.done, asked.who, where, count),
        steps=steps,
        counted={"most": str(count)},
    )


def _beyond(view: GroupView) -> str:
    """Return that more jobs may have failed alike than are noted, if so."""
    if not view.without_note:
        return ""
    return (
        f" Not among these: {number_of(view.without_note, 'buried job')} of the tube "
        "without a note, which may have failed alike."
    )


def _named(key: GroupKey) -> str:
    function = "no function" if key.func_name is None else one_line(key.func_name)
    error = one_line(key.error)
    return f"of {function} in tube {key.tube!r}, which failed with {error}"
