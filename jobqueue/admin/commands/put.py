"""The command put, and how it reads a job's arguments."""

import json
from collections.abc import Sequence
from typing import NoReturn

from jobqueue.admin.commands.put_task import put_task
from jobqueue.admin.errors import CommandError, UsageError
from jobqueue.admin.session import Session
from jobqueue.admin.shared_arguments import passed_put_options
from jobqueue.broker.put_options import PutOptions
from jobqueue.job.body import Encoder
from jobqueue.job.names import is_name
from jobqueue.job.signing import Signing
from jobqueue.operating.apart import check_job_tube
from jobqueue.task.options import TaskOptions


def put(session: Session) -> int:
    """Put one job."""
    options = session.options
    if options.failed is not None:
        if options.tube or options.modules:
            raise UsageError("give either --failed ID, or a tube and a function")
        return _say_id(session, _put_again(session, options.failed))
    if not options.func_name:
        raise UsageError("the following arguments are required: TUBE, FUNC")
    tube = check_job_tube(options.tube)
    if not is_name(options.func_name):
        raise UsageError(f"{options.func_name!r} is not the name of a task")
    kwargs = arguments(options.arguments)
    if options.modules:
        return _say_id(session, put_task(session, tube, kwargs))
    body = Encoder(options.func_name, tube).encode(kwargs)
    return _say_id(
        session, session.connection.put(tube, Signing().sign(body), _options(session))
    )


def _options(session: Session) -> PutOptions:
    return TaskOptions().merged(**passed_put_options(session.options)).put


def _put_again(session: Session, job_id: int) -> int:
    """Put a deleted job again, from the note of its failure; return its new id."""
    new_id = session.operator.put_failed(job_id, _options(session))
    if new_id is None:
        raise CommandError(
            f"no failure of job {job_id} has its body: only a job that was deleted for "
            "its kicks has its body noted"
        )
    return new_id


def _say_id(session: Session, job_id: int) -> int:
    if session.console.as_json:
        session.console.json({"id": job_id})
    else:
        session.console.line(str(job_id))
    return 0


def arguments(words: Sequence[str]) -> dict[str, object]:
    """Return a job's arguments, each given as ``name=value``.

    A value is read as JSON if it is JSON, else as a string. Raises
    :class:`~jobqueue.admin.errors.UsageError`.

    >>> arguments(["n=1", "to=ada", 'code="1"'])
    {'n': 1, 'to': 'ada', 'code': '1'}
    """
    found: dict[str, object] = {}
    for word in words:
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
