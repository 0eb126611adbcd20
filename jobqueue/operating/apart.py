"""Telling the tubes of notes and ticks from those of jobs, in the broker's counts."""

from collections.abc import Iterable

from jobqueue.broker.checks import check_tube
from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.broker.stats import JobState
from jobqueue.errors import TubeNameError
from jobqueue.job.note_tubes import (
    failures_tube,
    holds_no_jobs,
    is_notes_tube,
    retries_tube,
    tube_of_notes,
)


def notes_tubes(tube: str) -> tuple[str, str]:
    """Return the tubes with the notes about the jobs of a tube."""
    return failures_tube(tube), retries_tube(tube)


def check_job_tube(name: str) -> str:
    """Return the name of a tube of jobs.

    Raises :class:`~jobqueue.errors.TubeNameError` for what is no name, and for the name
    of a tube of notes, or of the tick of a schedule.
    """
    if is_notes_tube(check_tube(name)):
        raise TubeNameError(
            f"{name!r} holds notes of failures, and no jobs: `jobqueue failures` shows "
            "them"
        )
    if holds_no_jobs(name):
        raise TubeNameError(
            f"{name!r} holds a schedule, and no jobs: `jobqueue schedules` shows it"
        )
    return name


def with_failures(tubes: Iterable[TubeStats]) -> list[TubeStats]:
    """Return the counts of the tubes of jobs, each with the counts of its failures."""
    by_name = {tube.tube: tube for tube in tubes}
    return [
        _with_failures(tube, [by_name.get(notes) for notes in notes_tubes(name)])
        for name, tube in by_name.items()
        if not holds_no_jobs(name)
    ]


def gone_with_failures(tubes: Iterable[TubeStats]) -> list[TubeStats]:
    """Return the tubes of which only the notes of failures are left: without jobs.

    A tube is gone when it has no job, and nobody uses or watches it.
    """
    by_name = {tube.tube: tube for tube in tubes}
    gone = {*filter(None, map(tube_of_notes, by_name))} - by_name.keys()
    return [
        _with_failures(
            TubeStats(name, *[0] * 10),
            [by_name.get(notes) for notes in notes_tubes(name)],
        )
        for name in sorted(gone)
    ]


def _with_failures(tube: TubeStats, notes: list[TubeStats | None]) -> TubeStats:
    final = notes[0]
    return tube._replace(
        failures_noted=final.jobs_in(JobState) if final else 0,
        failures=sum(noted.puts for noted in notes if noted),
    )


def without_notes(server: ServerStats, tubes: Iterable[TubeStats]) -> ServerStats:
    """Return the counts of a server, without the notes and ticks among its jobs."""
    notes = [tube for tube in tubes if holds_no_jobs(tube.tube)]
    return server._replace(
        ready=max(0, server.ready - sum(tube.ready for tube in notes)),
        delayed=max(0, server.delayed - sum(tube.delayed for tube in notes)),
        reserved=max(0, server.reserved - sum(tube.reserved for tube in notes)),
        buried=max(0, server.buried - sum(tube.buried for tube in notes)),
        jobs=max(0, server.jobs - sum(tube.puts for tube in notes)),
        deletes=max(0, server.deletes - sum(tube.deletes for tube in notes)),
        failures_noted=sum(
            tube.jobs_in(JobState)
            for tube in notes
            if tube.tube.startswith(failures_tube(""))
        ),
    )
