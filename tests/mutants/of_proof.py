"""Faults in the proof itself: a ledger that would overlook a loss."""

from .mutant import Mutant

VERDICT = "tests/faults/verdict.py"
LEDGER_TESTS = "tests/faults/test_ledger.py"

OF_PROOF = [
    Mutant(
        "buried-not-looked-at",
        "each buried job needs a reason",
        VERDICT,
        "reasons = {found: _reason(books, found) for found in books.found}",
        "reasons = {found: Reason.FAILED for found in books.found}",
        (f"{LEDGER_TESTS}::test_buried_for_nothing",),
    ),
    Mutant(
        "begun-counts-as-ended",
        "a job counts when it has ended",
        VERDICT,
        'any(run.verdict == "ended" for run',
        "any(True for run",
        (f"{LEDGER_TESTS}::test_begun_is_not_ended",),
    ),
    Mutant(
        "buried-is-kept",
        "a job that is nowhere at the end is lost",
        VERDICT,
        "left = confirmed - ended - buried - deleted - books.stranded",
        "left = confirmed - books.runs.keys() - buried",
        (f"{LEDGER_TESTS}::test_begun_is_not_ended",),
    ),
    Mutant(
        "burials-of-others-overlooked",
        "a buried job that nobody has put is found",
        VERDICT,
        "*(f.number for f in books.found if f.number is not None)",
        "",
        (f"{LEDGER_TESTS}::test_stranger",),
    ),
    Mutant(
        "losses-without-faults",
        "a job that was buried for losses needs a fault for each",
        VERDICT,
        "return Reason.LOST if hits >= found.lost else None",
        "return Reason.LOST if hits else None",
        (f"{LEDGER_TESTS}::test_buried_for_losses",),
    ),
    Mutant(
        "restarts-count-as-burials",
        "a loss is not hidden by a burial that beanstalkd counts again",
        "tests/faults/books.py",
        "self.releases - min(self.buries, self.kicks + 1)",
        "self.releases - self.buries",
        (f"{LEDGER_TESTS}::test_restarts_count_no_burials",),
    ),
    Mutant(
        "any-expiry-explained",
        "a lost reservation needs a worker that was held up",
        "tests/faults/repetitions.py",
        "return held_up >= books.puts[number].ttr * HELD_UP",
        "return True",
        (f"{LEDGER_TESTS}::test_buried_for_expiries",),
    ),
]
