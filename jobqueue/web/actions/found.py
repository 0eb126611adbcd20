"""Changes of the jobs that a search of a tube finds.

They are searched for when the question is asked, and the answer carries their ids.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException

from jobqueue.broker.stats import JobState
from jobqueue.operating.formatting import number_of
from jobqueue.web.actions.changes import Back, Change, by_ids, in_chunks
from jobqueue.web.actions.last_kicks import GRANTED, last_kicks
from jobqueue.web.actions.many import FOR_GOOD, FREE
from jobqueue.web.actions.plan import DELETE, KICK, Asked, Plan, Words
from jobqueue.web.looked import ALL, Looked

_MOST = 10_000  # jobs of one question
_PATIENCE = 5.0  # seconds of a search


class _Found(NamedTuple):
    ids: Sequence[int]
    is_whole: bool = True  # whether there are no more


def kick_found(asked: Asked) -> Plan:
    """Kick the buried jobs that a search finds."""
    kick = asked.site.operator.kick
    plan = _of_found(asked, KICK, [JobState.BURIED], kick, GRANTED)
    tube = asked.site.operator.tube(asked.needed("tube"))
    if not asked.is_question or tube is None:
        return plan
    ids = [int(job_id) for job_id in plan.counted["ids"].split(",") if job_id]
    jobs = asked.site.operator.job_stats(*ids)
    return plan._replace(
        hint=plan.hint + last_kicks(jobs, asked.site.failures.of(tube))
    )


def delete_found(asked: Asked) -> Plan:
    """Delete the jobs that a search finds."""
    delete = asked.site.operator.delete
    plan = _of_found(asked, DELETE, FREE, delete, FOR_GOOD)
    return plan._replace(is_for_good=True)


def _of_found(
    asked: Asked,
    words: Words,
    states: Sequence[JobState],
    change: Callable[..., list[int]],
    hint: str,
) -> Plan:
    tube, operator = asked.needed("tube"), asked.site.operator
    looked = Looked.of(asked.form)
    meant = [state for state in states if looked.state in {ALL, state}]
    if not meant:
        raise HTTPException(400, f"No {looked.state} job can be changed in this way.")
    found = (
        _Found(asked.ids()) if "ids" in asked.form else _search(asked, looked, meant)
    )
    if not found.is_whole:
        hint += " There are more: this is as far as the search came. Ask again after."

    def make(*ids: int) -> list[int]:
        """Change those that still are what was looked for."""
        there = [job for job in operator.job_stats(*ids) if job]
        return change(*(j.id for j in there if j.tube == tube and j.state in meant))

    jobs = number_of(len(found.ids), "job" if len(meant) > 1 else f"{meant[0]} job")
    where = f"of tube {tube!r}"
    return Plan(
        question=f"{words.verb} {jobs} {where}, with {looked.in_words()}?",
        button=f"{words.verb} {number_of(len(found.ids), 'job')}",
        back=Back("/tube", {"name": tube, **looked._asdict()}),
        change=Change(words.doing, words.done, asked.who, where, len(found.ids)),
        steps=in_chunks(found.ids, by_ids(make)),
        counted={"ids": ",".join(map(str, found.ids))},
        hint=hint,
    )


def _search(asked: Asked, looked: Looked, states: list[JobState]) -> _Found:
    filters = looked.filters(asked.site.settings)
    until = time.monotonic() + _PATIENCE
    ids: list[int] = []
    with asked.site.operator.finding(asked.needed("tube"), states, filters) as finder:
        for jobs in finder.blocks() if finder else ():
            ids += [job.id for job in jobs if job.age >= looked.least_age]
            if len(ids) > _MOST or time.monotonic() > until:
                return _Found(sorted(ids)[:_MOST], is_whole=False)
    return _Found(sorted(ids))
