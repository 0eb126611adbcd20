"""Faults in the proof itself: a ledger that would overlook a loss."""

from .mutant import Mutant

VERDICT = "tests/faults/verdict.py"
LEDGER_TESTS = ("tests/faults/test_ledger.py",)

OF_PROOF = [
    Mutant(
        "buried-not-looked-at",
        "each buried job needs a reason",
        VERDICT,
        "reasons = {found: _reason(books, found) for found in books.found}",
        "reasons = {found: Reason.FAILED for found in books.found}",
        LEDGER_TESTS,
    ),
    Mutant(
        "begun-counts-as-ended",
        "a job counts when it has ended",
        VERDICT,
        'any(run.verdict == "ended" for run',
        "any(True for run",
        LEDGER_TESTS,
    ),
]
