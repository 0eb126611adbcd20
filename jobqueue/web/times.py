"""Times that people type: 90s, 30m, 2h or 7d."""

import re
from datetime import timedelta

from starlette.exceptions import HTTPException

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MOST = {"s": 10**6, "m": 10**6, "h": 876_000, "d": 36_500, "w": 5_200}  # 100 years


def time_of(name: str, text: str | None) -> timedelta | None:
    """Return a time, as ``jobqueue --since`` takes it; None if there is none.

    Raises HTTPException for anything else.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*([smhdw])\s*", text)
    if not found:
        raise HTTPException(
            400, f"{name} has to be a time, such as 90s, 30m, 2h or 7d."
        )
    asked = int(found[1])
    if asked > _MOST[found[2]]:
        raise HTTPException(400, f"{name} is limited to a hundred years.")
    return timedelta(**{_UNITS[found[2]]: asked})
