"""Ticks of schedules, as workers put them."""

import time
from typing import Any

from jobqueue.job.signing import Signing
from jobqueue.schedule.tick import Tick
from tests.helpers.servers import Beanstalkd


def put_tick(broker: Beanstalkd, *, secret: str | None = None, **fields: Any) -> int:
    """Put the tick of a schedule that is due in an hour, and return its id."""
    known: dict[str, Any] = {
        "tube": "reports",
        "func_name": "nightly",
        "due": int(time.time()) + 3600,
        "definition": "every 86400 s",
        "since": 0,
        "priority": 7,
        "ttr": 8,
    }
    tick = Tick(**(known | fields))
    delay = max(0, int(tick.due - time.time()))
    with broker.client(tick.tick_tube) as client:
        return client.put(tick.encode(Signing(secret)), priority=tick.due, delay=delay)
