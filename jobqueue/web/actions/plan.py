"""Plan: what a change would do, before and while it is made."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from starlette.exceptions import HTTPException

from jobqueue.broker.checks import MAX_JOB_ID
from jobqueue.web.actions.changes import Back, Change
from jobqueue.web.known_failures import GroupKey
from jobqueue.web.site import Site

Form = Mapping[str, str]


class Words(NamedTuple):
    """A change, as in "Kick 3 jobs", "Kicking 3 jobs" and "Kicked 3 jobs"."""

    verb: str
    doing: str
    done: str


KICK = Words("Kick", "Kicking", "Kicked")
DELETE = Words("Delete", "Deleting", "Deleted")
PUT = Words("Put", "Putting", "Put")


class Plan(NamedTuple):
    """What a change would do."""

    question: str
    button: str
    back: Back
    change: Change
    steps: Callable[[Change], Iterable[object]]
    hint: str = ""
    is_for_good: bool = False  # it deletes
    counted: Mapping[str, str] = {}  # what was counted, for the form to carry
    is_quick: bool = False  # one thing, done at once


class Asked(NamedTuple):
    """What was asked for, and by whom."""

    site: Site
    form: Form
    who: str

    @property
    def is_question(self) -> bool:
        """Whether nothing was counted yet, so that somebody will read the answer."""
        return not {"ids", "most"} & self.form.keys()

    def needed(self, name: str) -> str:
        """Return a value of the form. Raises HTTPException if it is missing."""
        value = self.form.get(name)
        if not value:
            raise HTTPException(400, f"The form lacks {name!r}.")
        return value

    def number(self, name: str, least: int = 0, most: int = 2**32 - 1) -> int:
        """Return a whole number. Raises HTTPException for anything else."""
        text = self.needed(name)
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
        if not (is_number and least <= int(text) <= most):
            raise HTTPException(
                400, f"{name} has to be a whole number from {least} to {most:,}."
            )
        return int(text)

    def counted(self, now: int) -> int:
        """Return how many jobs to change: no more than whoever asks was told of."""
        return min(now, self.number("most")) if "most" in self.form else now

    def ids(self) -> list[int]:
        """Return the ids of the jobs that were counted."""
        found = self.form.get("ids", "").split(",")
        most = len(str(MAX_JOB_ID))
        return [int(text) for text in found if text.isdecimal() and len(text) <= most]

    def job_id(self) -> int:
        """Return the id of the job."""
        return self.number("id", 1, MAX_JOB_ID)


def group_key(values: Mapping[str, str]) -> GroupKey:
    """Return which group of failures a query or a form means.

    Without ``func``, these are jobs whose body gives no function.
    """
    try:
        return GroupKey(values["tube"], values.get("func"), values["error"])
    except KeyError as missing:
        raise HTTPException(400, f"The address lacks {missing}.") from None


def group_query(key: GroupKey) -> dict[str, str | None]:
    """Return the query of a group's page."""
    return {"tube": key.tube, "func": key.func_name, "error": key.error}
