"""Calling the hooks of a queue around a job."""

from collections.abc import Callable, Generator, Sequence
from typing import NoReturn, cast

from jobqueue.job.context import Around, Job


def call_around(hooks: Sequence[Around], job: Job, call: Callable[[], None]) -> None:
    """Call something inside of the hooks, of which the first is the outermost.

    A failure is raised in each hook at its yield, and goes on after that even if the
    hook ends without an error: no hook can make a success of it by mistake.
    """
    if not hooks:
        call()
        return
    outermost, *inner = hooks
    steps = cast("Generator[object, None, object]", outermost(job))
    try:
        next(steps)
    except StopIteration:
        raise RuntimeError(f"{_name(outermost)} did not yield") from None
    try:
        call_around(inner, job, call)
    except BaseException as failure:
        if _throw(steps, failure):
            _refuse_second_yield(steps, outermost)
        raise
    try:
        next(steps)
    except StopIteration:
        return
    _refuse_second_yield(steps, outermost)


def _throw(steps: Generator[object, None, object], failure: BaseException) -> bool:
    """Raise a failure at the yield; tell whether the hook yields again.

    Lets an error of the hook's own through, but not the same failure.
    """
    try:
        steps.throw(failure)
    except StopIteration:
        return False
    except BaseException as error:
        if error is failure or _stands_for(failure, error):
            return False
        raise
    return True


def _stands_for(failure: BaseException, error: BaseException) -> bool:
    """Tell whether it is what a StopIteration becomes that leaves a generator.

    See PEP 479.
    """
    return (
        isinstance(failure, StopIteration)
        and type(error) is RuntimeError
        and error.__cause__ is failure
    )


def _refuse_second_yield(
    steps: Generator[object, None, object], hook: Around
) -> NoReturn:
    steps.close()
    raise RuntimeError(f"{_name(hook)} has yielded twice")


def _name(hook: Around) -> str:
    return f"the hook {getattr(hook, '__qualname__', hook)}"
