"""Callbacks that run in the children that a task forks."""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Callback = Callable[[], object]


def call_in_children(callback: Callback) -> None:
    """Have ``callback`` called first in each child that is forked from now on."""
    _callbacks().append(callback)


@contextmanager
def called_in_children(callback: Callback) -> Iterator[None]:
    """Have ``callback`` called first in each child that is forked meanwhile."""
    callbacks = _callbacks()
    callbacks.append(callback)
    try:
        yield
    finally:
        callbacks.remove(callback)


def trace_of_ended_children() -> int:
    """Return a number that is another one when a child process has ended since.

    It is how many pages the children have touched whose end was waited for.
    """
    try:
        import resource  # noqa: PLC0415 - few jobs fail
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt


@functools.cache  # registered once: os.register_at_fork can't be undone
def _callbacks() -> list[Callback]:
    callbacks: list[Callback] = []

    def call_all() -> None:
        for callback in callbacks.copy():
            callback()

    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=call_all)
    return callbacks
