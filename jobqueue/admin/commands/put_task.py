"""``put --import``: a job of a task in the application's code, checked as there."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

from jobqueue.admin.errors import UsageError
from jobqueue.admin.session import Session
from jobqueue.admin.shared_arguments import passed_put_options
from jobqueue.app_modules import find_in_current_folder, import_module
from jobqueue.broker.pool import ConnectionPool
from jobqueue.broker.redirection import Redirection
from jobqueue.task.registry import subscriber


def put_task(session: Session, tube: str, kwargs: dict[str, object]) -> int:
    """Import the application's modules, put a job of a task of theirs; return its id.

    The task's own options, its queue's broker and its secret count, unless the command
    line names others. Raises what a put in code raises.
    """
    find_in_current_folder()
    for module in session.options.modules:
        import_module(module)
    task = _find(tube, session.options.func_name)
    changed = task.options(**passed_put_options(session.options))
    url = session.options.url
    with _redirected_to(url) if url else nullcontext():
        job_id: int = changed.put(**kwargs)
    return job_id


@contextmanager
def _redirected_to(url: str) -> Iterator[None]:
    """Have tasks put their jobs to another broker than that of their queue."""
    pool = ConnectionPool(url)
    Redirection.destination = pool
    try:
        yield
    finally:
        Redirection.destination = None
        pool.close()


def _find(tube: str, func_name: str) -> Any:  # noqa: ANN401 - a Putter of any function
    """Return a task. Raises UsageError, which lists those that there are."""
    putter = subscriber.putter(tube, func_name)
    if putter is not None:
        return cast("Any", putter)
    tubes = subscriber.tubes()
    if tube not in tubes:
        known = ", ".join(tubes) or "none"
        raise UsageError(
            f"no task is registered in tube {tube!r} (known tubes: {known})"
        )
    names = ", ".join(task.func_name for task in subscriber.tasks([tube]))
    raise UsageError(f"tube {tube!r} has no task {func_name!r} (its tasks: {names})")
