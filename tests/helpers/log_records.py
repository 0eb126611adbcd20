"""The log records of a job."""

import logging

import pytest


def records(caplog: pytest.LogCaptureFixture, job_id: int) -> list[logging.LogRecord]:
    """Return the captured records that carry the id of this job."""
    return [r for r in caplog.records if getattr(r, "job_id", None) == job_id]
