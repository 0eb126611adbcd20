"""What a process hands on to the program that replaces it under its pid, by exec."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress

_NAME = "JOBQUEUE_HANDED_ON"  # in the environment, from just before exec until after it


def hand_on(fds: Sequence[int]) -> None:
    """Leave open files to the program that this process becomes."""
    with suppress(OSError):  # a task has closed what is not its own: then none
        for fd in fds:
            os.set_inheritable(fd, True)  # noqa: FBT003 - positional only
        os.environ[_NAME] = json.dumps([os.getpid(), *fds])


def handed_on() -> Sequence[int]:
    """Return what this process has left to itself: nothing if it has just begun."""
    found: list[int] = json.loads(os.environ.pop(_NAME, "[0]"))
    pid, *fds = found
    if pid != os.getpid():  # the environment was a parent's
        return []
    for fd in fds:
        os.set_inheritable(fd, False)  # noqa: FBT003 - positional only
    return fds
