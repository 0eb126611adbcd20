"""Looked: what is looked for among the jobs of a tube."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from starlette.exceptions import HTTPException

from jobqueue.broker.stats import JobState
from jobqueue.operating.filters import Filters
from jobqueue.web.settings import WebSettings
from jobqueue.web.times import time_of
from jobqueue.web.urls import one

ALL = "all"


class Looked(NamedTuple):
    """What is looked for, as the query says it and the form shows it again."""

    state: str
    func: str | None
    error: str | None
    text: str | None
    age: str | None
    since: str | None

    @classmethod
    def of(cls, values: Mapping[str, str], otherwise: str = ALL) -> Self:
        """Return what a query or a form asks for; without a state, another one."""
        state = values.get("state", "")
        if state not in {*JobState, ALL}:
            state = otherwise
        names = ("func", "error", "text", "age", "since")
        return cls(state, *(one(values, name) for name in names))

    @property
    def has_filters(self) -> bool:
        """Whether more than a state is looked for."""
        return any(self[1:])

    @property
    def least_age(self) -> float:
        """The least age of a job, in seconds. Raises HTTPException if it is no time."""
        return (time_of("Older than", self.age) or timedelta(0)).total_seconds()

    def filters(self, settings: WebSettings) -> Filters:
        """Return the filters. Raises HTTPException for what can't be looked for."""
        if self.text and settings.hide_arguments:
            raise HTTPException(403, "Arguments are hidden here, also from a search.")
        since = time_of("Failed within", self.since)
        return Filters(
            func_name=self.func,
            containing=self.text,
            error=self.error,
            since=None if since is None else datetime.now(UTC) - since,
        )

    def in_words(self) -> str:
        """Return what is looked for beside the state, as in "function send"."""
        parts = {
            "function": self.func,
            "error": self.error,
            "text": self.text,
            "older than": self.age,
            "failed within": self.since,
        }
        return ", ".join(f"{name} {value}" for name, value in parts.items() if value)
