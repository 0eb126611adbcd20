"""Calling the hooks of a queue around a job."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn, cast

from jobqueue.job.context import Around, Job
from jobqueue.worker.running.tracebacks import (
    set_traceback,
    traceback_of,
    without_own_frames,
)

Steps = Generator[object, None, object]


def call_around(
    hooks: Sequence[Around],
    job: Job,
    call: Callable[[], None],
    part: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Call ``call`` inside the hooks, of which the first is the outermost.

    Each hook runs in two parts, before and after its yield, each of them inside of a
    ``part()``.

    A failure is raised in each hook at its yield. If the hook ends without an error,
    the failure is raised all the same: no hook can hide a failure by mistake.
    """
    if not hooks:
        call()
        return
    outermost, *inner = hooks
    steps = cast("Steps", outermost(job))
    with part():
        if not _goes_on(steps):
            raise RuntimeError(f"{_name(outermost)} did not yield")
    try:
        call_around(inner, job, call, part)
    except BaseException as failure:
        without_own_frames(failure)  # a hook may report it, or raise another from it
        with part():
            if _yields_again(steps, failure):
                _refuse_second_yield(steps, outermost)
        raise
    with part():
        if _goes_on(steps):
            _refuse_second_yield(steps, outermost)


def _goes_on(steps: Steps) -> bool:
    """Run a hook to its next yield; return False if there is none."""
    try:
        next(steps)
    except StopIteration:
        return False
    return True


def _yields_again(steps: Steps, failure: BaseException) -> bool:
    """Raise a failure at the yield, and return whether the hook yields once more.

    Raises an error of the hook's own, but not the failure itself.
    """
    traceback = traceback_of(failure)
    try:
        steps.throw(failure)
    except StopIteration:
        return False
    except BaseException as error:
        if error is failure or _stands_for(failure, error):
            return False
        raise
    finally:
        # The traceback must show where the job failed, not the hook's frames.
        set_traceback(failure, traceback)
        del traceback  # it leads to this frame: break the cycle
    return True


def _stands_for(failure: BaseException, error: BaseException) -> bool:
    """Return whether an error is the RuntimeError that a generator makes of a failure.

    Python replaces a StopIteration that leaves a generator: see PEP 479.
    """
    return (
        isinstance(failure, StopIteration)
        and type(error) is RuntimeError
        and error.__cause__ is failure
    )


def _refuse_second_yield(steps: Steps, hook: Around) -> NoReturn:
    steps.close()
    raise RuntimeError(f"{_name(hook)} has yielded twice")


def _name(hook: Around) -> str:
    return f"the hook {getattr(hook, '__qualname__', hook)}"
