"""The names of the tubes that hold notes of failures, or ticks, and no jobs.

Workers put a note of each failure into the broker itself: see ``note.py``. The notes of
one tube's burials are in a tube of their own, and so are those of its retries: a storm
of retries pushes no burial out. Each schedule of a periodic task has a tube of its own,
with its tick: see ``schedule/tick.py``.
"""

from jobqueue.errors import TubeNameError

FAILURES = "jobqueue.failures/"  # buried jobs, and jobs deleted for their kicks
RETRIES = "jobqueue.retries/"
SCHEDULES = "jobqueue.schedules/"

_LONGEST = 200  # bytes of a tube's name (protocol.txt, "Names")
_DIGEST = 16  # bytes


def failures_tube(tube: str) -> str:
    """Return the tube with the notes of the jobs of a tube that failed for good.

    >>> failures_tube("emails")
    'jobqueue.failures/emails'
    """
    return _named(FAILURES, tube)


def retries_tube(tube: str) -> str:
    """Return the tube with the notes of the retries of a tube's jobs.

    >>> retries_tube("emails")
    'jobqueue.retries/emails'
    """
    return _named(RETRIES, tube)


def tick_tube(tube: str, func_name: str) -> str:
    """Return the tube with the tick of a periodic task.

    >>> tick_tube("reports", "nightly")
    'jobqueue.schedules/reports/nightly'
    """
    return _named(SCHEDULES, f"{tube}/{func_name}")


def code_tube(code: str) -> str:
    """Return the tube that all workers watch whose code has the same schedules.

    It is always empty: only how many watch it counts.

    >>> code_tube("1c291ca3")
    'jobqueue.schedules/$1c291ca3'
    """
    return f"{SCHEDULES}${code}"


def is_notes_tube(name: str) -> bool:
    """Return whether a tube holds notes, which are no jobs: no worker may run them."""
    return name.startswith((FAILURES, RETRIES))


def is_tick_tube(name: str) -> bool:
    """Return whether a tube holds the tick of a schedule, which is no job either."""
    return name.startswith(SCHEDULES)


def holds_no_jobs(name: str) -> bool:
    """Return whether a tube holds notes or a tick: only jobqueue itself uses it."""
    return is_notes_tube(name) or is_tick_tube(name)


def check_job_tube(name: str) -> None:
    """Raise TubeNameError for a tube that is for notes or ticks, and not for jobs."""
    if is_notes_tube(name):
        raise TubeNameError(
            f"{name!r} is no tube for jobs: workers put notes of failures into it"
        )
    if is_tick_tube(name):
        raise TubeNameError(
            f"{name!r} is no tube for jobs: workers keep a schedule in it"
        )


def tube_of_notes(name: str) -> str | None:
    """Return the tube whose jobs the notes in a notes tube are about.

    None for a tube of jobs, and for the notes of a tube whose name is too long to be
    part of another name: each note says its tube itself.

    >>> tube_of_notes("jobqueue.failures/emails")
    'emails'
    """
    for prefix in (FAILURES, RETRIES):
        tube = name.removeprefix(prefix)
        if tube != name:
            return tube if tube and not _is_shortened(name) else None
    return None


def _named(prefix: str, tube: str) -> str:
    name = prefix + tube
    is_whole = len(name) <= _LONGEST and name.isascii()  # a function's may be "naïf"
    return name if is_whole else _shortened(prefix, tube)


def _shortened(prefix: str, tube: str) -> str:
    """Return a name that ends in a digest of the tube's: of the greatest length."""
    from hashlib import blake2b  # noqa: PLC0415 - few names are so long

    end = f"${blake2b(tube.encode(), digest_size=_DIGEST).hexdigest()}"
    beginning = (prefix + tube).encode("ascii", "ignore").decode()
    return beginning[: _LONGEST - len(end)] + end


def _is_shortened(name: str) -> bool:
    return len(name) == _LONGEST and name[-2 * _DIGEST - 1] == "$"
