"""The end of a traceback: as Python prints it, but for the marks under the lines."""

import re
import traceback
from collections.abc import Callable

import pytest

from jobqueue.worker.running.traceback_text import end_of_traceback


def plain() -> None:
    raise ValueError("no\nway")


def caused() -> None:
    try:
        plain()
    except ValueError as error:
        raise KeyError("k") from error


def meanwhile() -> None:
    try:
        caused()
    except KeyError:
        raise OSError(2, "gone")  # noqa: B904 - it is what is tested


def hidden() -> None:
    try:
        plain()
    except ValueError:
        raise KeyError("k") from None


def noted() -> None:
    error = ValueError()
    error.add_note("see there")
    raise error


def grouped() -> None:
    raise ExceptionGroup("several", [ValueError("a"), OSError("b")])


def from_text() -> None:
    exec(compile("1 / 0", "<text>", "exec"))


@pytest.mark.parametrize(
    "fail", [plain, caused, meanwhile, hidden, noted, grouped, from_text]
)
def test_as_python_prints_it(fail: Callable[[], None]) -> None:
    error = error_of(fail)
    lines = traceback.format_exception(error)

    assert without_marks(end_of_traceback(error)) == without_marks("".join(lines))


def error_of(fail: Callable[[], object]) -> BaseException:
    try:
        fail()
    except BaseException as error:  # noqa: BLE001 - any
        return error
    raise AssertionError("it did not fail")


def without_marks(text: str) -> str:
    return re.sub(r"^[ |]+[~^]+\n", "", text.rstrip("\n") + "\n", flags=re.MULTILINE)


def deep(calls: int) -> None:
    if calls:
        deep(calls - 1)
    raise ValueError("deep")


def test_the_end_alone() -> None:
    text = end_of_traceback(error_of(lambda: deep(500)))

    assert text.count("File ") == 20
    assert text.endswith("ValueError: deep")


def test_a_long_chain() -> None:
    """Errors may even be the causes of each other."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    assert end_of_traceback(first).count("direct cause") == 10


class HostileError(Exception):
    @property
    def __cause__(self) -> None:  # type: ignore[override]
        raise SystemExit


def test_hostile_error() -> None:
    assert end_of_traceback(HostileError()) == ""
