"""Faults in what is said: logs, terminals, and the port of the metrics."""

from .mutant import Mutant

SAFE_TEXT = "jobqueue/safe_text.py"
SAFE_TEXT_TESTS = ("tests/test_safe_text.py",)

OF_REPORTING = [
    Mutant(
        "only-escape-is-escaped",
        "no character that a terminal obeys is printed",
        SAFE_TEXT,
        "return text if text.isprintable() else text.translate(_Escapes())",
        'return text.translate(_Escapes()) if "\\x1b" in text else text',
        SAFE_TEXT_TESTS,
    ),
    Mutant(
        "forged-entry",
        "an entry of the log contains no second one",
        SAFE_TEXT,
        "_INDENT + line if line[:1].isdigit() else line for line",
        "line for line",
        SAFE_TEXT_TESTS,
    ),
    Mutant(
        "failed-handler-counts",
        "a body counts as logged only if a handler has written it",
        "jobqueue/worker/reporting/written_log.py",
        "return bool(handler.handle(record)) and not failures",
        "return bool(handler.handle(record))",
        ("tests/worker/reporting/test_written_log.py",),
    ),
    Mutant(
        "clients-without-a-bound",
        "the port of the metrics holds a bounded number of connections",
        "jobqueue/worker/reporting/request_server.py",
        "if len(self._clients) > MAX_CLIENTS:",
        "if not self._clients:",
        ("tests/worker/reporting/test_request_server.py",),
    ),
]
