"""The list of mutants keeps pace with the code. Which survive is for the command."""

import ast
import functools
import re
from collections import Counter

import pytest

from tests.helpers.paths import ROOT

from .mutant import Mutant
from .mutants import MUTANTS
from .runner import Failure, first_failure_in


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_fits(mutant: Mutant) -> None:
    """Its old text occurs once, the new one is another program, its tests are there."""
    source = (ROOT / mutant.file).read_text()

    broken = mutant.applied_to(source)

    assert ast.dump(ast.parse(broken)) != dump_of(source)
    assert mutant.tests
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert re.search(rf"def {name}\b", (ROOT / path).read_text())


@functools.cache
def dump_of(source: str) -> str:
    return ast.dump(ast.parse(source))


def test_each_has_a_name_of_its_own() -> None:
    counts = Counter(mutant.name for mutant in MUTANTS)

    assert [name for name, count in counts.items() if count > 1] == []


def test_a_mutant_that_does_not_fit() -> None:
    mutant = Mutant("m", "p", "f", "a", "b", ("tests",))

    for source in ("aa", "c"):
        with pytest.raises(ValueError, match=r"occurs \d times"):
            mutant.applied_to(source)


@pytest.mark.parametrize(
    ("line", "reason", "failure"),
    [
        ("FAILED tests/a.py::b", "AssertionError", Failure("a.py::b", False)),
        ("FAILED tests/a.py::b[1-c] - Fa...", "x", Failure("a.py::b[1-c]", False)),
        ("ERROR tests/a.py::b - x", "Failed: Timeout (>60", Failure("a.py::b", True)),
    ],
)
def test_failure_in_the_output(line: str, reason: str, failure: Failure) -> None:
    output = f"..F\nE       {reason}\n{line}\nFAILED tests/z.py::z\n1 failed in 1s\n"

    assert first_failure_in(output) == failure
