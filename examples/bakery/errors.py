"""Sentry: one event for each job that has failed for good."""

from collections.abc import Iterator

import sentry_sdk
from sentry_sdk.integrations.logging import ignore_logger
from sentry_sdk.transport import Transport

from jobqueue import BuriedJob, Job

from .tasks import queue


def set_up(dsn: str | None = None, transport: type[Transport] | None = None) -> None:
    """Report to ``dsn``, or to ``$SENTRY_DSN``; without one, to nobody."""
    sentry_sdk.init(dsn=dsn, transport=transport)
    ignore_logger("jobqueue.worker")  # else the log's line would be a second event


@queue.around
def isolate(job: Job) -> Iterator[None]:
    """Keep what a job tells Sentry apart from all other jobs."""
    with sentry_sdk.isolation_scope() as scope:
        scope.set_transaction_name(job.func_name)
        scope.set_tag("tube", job.tube)
        scope.set_context("job", {"id": job.id, "arguments": job.kwargs})
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - the job fails all the same
            error.__dict__["scope"] = scope


@queue.on_buried
def report(_job: BuriedJob, error: BaseException) -> None:
    """Report a failure with all that its job has told Sentry."""
    sentry_sdk.capture_exception(error, scope=error.__dict__.get("scope"))
