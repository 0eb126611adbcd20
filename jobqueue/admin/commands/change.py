"""The commands that act: kick, delete, clear, pause, resume, put and import."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn

from jobqueue.admin.commands.transfer import Import
from jobqueue.admin.screen import formatting
from jobqueue.admin.session import CommandError, Session, UsageError
from jobqueue.admin.sweep import Walk
from jobqueue.broker.checks import check_id, check_tube, whole_number
from jobqueue.broker.put_options import PutOptions
from jobqueue.broker.stats import JobState, TubeStats
from jobqueue.job.body import Encoder
from jobqueue.job.signing import Signing


def kick(session: Session) -> int:
    """Make buried jobs ready, and no others."""
    options = session.options
    if options.ids:
        if options.tube or options.all or options.count is not None:
            raise UsageError("give either --job ID..., or a tube with --all or --count")
        return _kick_by_id(session, options.ids)
    if not options.tube or options.all == (options.count is not None):
        raise UsageError("give a tube with either --all or --count N, or --job ID...")
    tube = session.tube(check_tube(options.tube))
    walk = Walk(session.operator, tube.tube, JobState.BURIED)
    count = min(tube.buried, tube.buried if options.all else options.count)
    steps = walk.all if options.all else walk.first
    act = session.operator.kick_jobs
    kicked = _count(session, "Kicking", steps(act, count), count)
    if session.console.as_json:
        session.console.json({"kicked": kicked})
    else:
        jobs = formatting.number_of(kicked, "job")
        session.console.line(f"Kicked {jobs} of tube {tube.tube!r}")
    return 0 if kicked else 1


def _kick_by_id(session: Session, ids: Sequence[int]) -> int:
    records = list(session.operator.jobs(ids))
    buried = [job.id for job in records if job and job.state == JobState.BURIED]
    results = session.operator.kick_jobs(buried)
    kicked = {job_id for job_id, done in zip(buried, results, strict=True) if done}
    problems = {
        job_id: f"job {job_id} is {job.state}, not buried" if job else _gone(job_id)
        for job_id, job in zip(ids, records, strict=True)
        if job_id not in kicked
    }
    return _report(session, "kicked", len(kicked), problems)


def delete(session: Session) -> int:
    """Delete jobs by their ids."""
    ids = list(map(check_id, session.options.ids))
    results = list(session.operator.delete_jobs(ids))
    failed = [job_id for job_id, done in zip(ids, results, strict=True) if not done]
    problems = {
        job_id: f"job {job_id} is reserved: only its worker can delete it"
        if job
        else _gone(job_id)
        for job_id, job in zip(failed, session.operator.jobs(failed), strict=True)
    }
    return _report(session, "deleted", sum(results), problems)


def _gone(job_id: int) -> str:
    return f"there is no job {job_id}"


def _report(session: Session, done: str, count: int, problems: dict[int, str]) -> int:
    """Say what was done, and what could not be."""
    console = session.console
    if console.as_json:
        console.json({done: count, f"not_{done}": sorted(problems)})
    else:
        console.line(f"{done.capitalize()} {formatting.number_of(count, 'job')}")
    for problem in problems.values():
        console.note(problem)
    return 1 if problems else 0


def clear(session: Session) -> int:
    """Delete all jobs of a tube that are in some states."""
    console = session.console
    states = [JobState(name) for name in session.options.states]
    tube = session.tube(check_tube(session.options.tube))
    free = [state for state in dict.fromkeys(states) if state is not JobState.RESERVED]
    _confirm(session, tube, free)
    cleared = 0
    for state in free:
        walk = Walk(session.operator, tube.tube, state)
        act, count = session.operator.delete_jobs, tube.count([state])
        cleared += _count(session, "Deleting", walk.all(act, count), count)
    left = session.operator.tube(tube.tube)
    reserved = left.reserved if left and JobState.RESERVED in states else 0
    others = left.count(free) if left else 0
    if console.as_json:
        console.json({"cleared": cleared, "reserved": reserved, "left": others})
    else:
        jobs = formatting.number_of(cleared, "job")
        console.line(f"Deleted {jobs} of tube {tube.tube!r}")
        if reserved:
            console.line(f"Not deleted: {reserved:,} reserved, which only workers can")
        if others:
            console.line(f"{formatting.number_of(others, 'job')} came meanwhile")
    return 0 if cleared else 1


def _confirm(session: Session, tube: TubeStats, states: Sequence[JobState]) -> None:
    if session.options.yes or not (count := tube.count(states)):
        return
    jobs = formatting.number_of(count, f"{' and '.join(states)} job")
    answer = session.console.asks(f"Delete {jobs} of tube {tube.tube!r} for good?")
    if answer is None:
        raise UsageError("there is no terminal to ask on: give --yes to delete jobs")
    if not answer:
        raise CommandError("nothing was deleted")


def pause(session: Session) -> int:
    """Have no jobs of a tube handed out for some seconds."""
    seconds = whole_number("SECONDS", session.options.seconds, least=1)
    return _pause(session, seconds, f"is paused for {formatting.duration(seconds)}")


def resume(session: Session) -> int:
    """Have the jobs of a tube handed out again."""
    return _pause(session, 0, "is not paused")


def _pause(session: Session, seconds: int, what: str) -> int:
    name = session.tube(check_tube(session.options.tube)).tube
    if not session.operator.pause(name, seconds):
        raise CommandError(f"tube {name!r} has gone meanwhile")
    if session.console.as_json:
        session.console.json({"tube": name, "paused": seconds})
    else:
        session.console.line(f"Tube {name!r} {what}")
    return 0


def put(session: Session) -> int:
    """Put one job."""
    options = session.options
    tube = check_tube(options.tube)
    if not options.func_name.isidentifier():
        raise UsageError(f"{options.func_name!r} is not the name of a function")
    put_options = PutOptions(
        delay=options.delay, priority=options.priority, ttr=options.ttr
    )
    body = Encoder(options.func_name, tube).encode(arguments(options.arguments))
    body = Signing().sign(body)
    job_id = session.operator.put(tube, body, put_options)
    if session.console.as_json:
        session.console.json({"id": job_id})
    else:
        session.console.line(str(job_id))
    return 0


def arguments(given: Sequence[str]) -> dict[str, object]:
    """Return the arguments that ``name=value`` words give.

    A value is JSON; what is not JSON is a string. Raises :class:`UsageError`.

    >>> arguments(["n=1", "to=ada", 'code="1"'])
    {'n': 1, 'to': 'ada', 'code': '1'}
    """
    found: dict[str, object] = {}
    for word in given:
        name, equals, text = word.partition("=")
        if not (equals and name.isidentifier()):
            raise UsageError(f"{word!r} is not an argument: it should be name=value")
        if name in found:
            raise UsageError(f"argument {name!r} is given twice")
        try:
            found[name] = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            found[name] = text
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def import_jobs(session: Session) -> int:
    """Put the jobs that an export wrote."""
    console, options = session.console, session.options
    job = Import(session.operator, session.interrupts)
    is_done = False
    try:
        with _source(options.file) as source:
            with console.progress("Importing", 0) as advance:
                for _ in job.run(source, options.from_line):
                    advance(job.put, job.put)
            is_done = True
    finally:
        if console.as_json:
            console.json(
                {
                    "put": job.put,
                    "next_line": None if is_done else job.next_line,
                    "unconfirmed": job.unconfirmed,
                }
            )
        _say_how_far(session, job, is_done=is_done)
    return 0


def _say_how_far(session: Session, job: Import, *, is_done: bool) -> None:
    said = f"Imported {formatting.number_of(job.put, 'job')}"
    if not is_done:
        said += f"; to go on, import the same with --from-line {job.next_line}"
    if job.unconfirmed:
        said += (
            f". The next {formatting.number_of(job.unconfirmed, 'line')} may have been "
            "put all the same: see which are there before you go on"
        )
    session.console.note(said)


@contextmanager
def _source(name: str | None) -> Iterator[BinaryIO]:
    if name in {None, "-"}:
        yield sys.stdin.buffer
        return
    try:
        file = Path(str(name)).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CommandError(f"can't read {name}: {error.strerror}") from None
    with file:
        yield file


def _count(session: Session, title: str, steps: Iterator[int], total: int) -> int:
    """Go through the steps, show how far it is, and return how much was done."""
    count = 0
    with session.console.progress(title, total) as advance:
        try:
            while True:
                with session.interrupts:
                    step = next(steps, None)
                    count += step or 0
                if step is None:
                    return count
                advance(count, total)
        except BaseException:
            session.console.note(f"{title} has stopped after {count:,} jobs")
            raise
