"""Faults in what is said: logs, terminals, and the port of the metrics."""

from .mutant import Mutant

SAFE_TEXT = "jobqueue/safe_text.py"
SAFE_TEXT_TESTS = "tests/test_safe_text.py"
REQUEST_SERVER_TESTS = "tests/worker/reporting/test_request_server.py"
LOG_LOCK = "jobqueue/worker/reporting/log_lock.py"
LOG_LOCK_TESTS = "tests/worker/reporting/test_log_lock.py"
WRITTEN_LOG_TESTS = "tests/worker/reporting/test_written_log.py"

OF_REPORTING = [
    Mutant(
        "only-escape-is-escaped",
        "no character that a terminal obeys is printed",
        SAFE_TEXT,
        "return text if text.isprintable() else text.translate(_Escapes())",
        'return text.translate(_Escapes()) if "\\x1b" in text else text',
        (f"{SAFE_TEXT_TESTS}::test_escaped",),
    ),
    Mutant(
        "forged-entry",
        "an entry of the log contains no second one",
        SAFE_TEXT,
        "_INDENT + line if line[:1].isdigit() else line for line",
        "line for line",
        (f"{SAFE_TEXT_TESTS}::test_second_entry",),
    ),
    Mutant(
        "failed-handler-counts",
        "a body counts as logged only if a handler has written it",
        "jobqueue/worker/reporting/written_log.py",
        "return bool(handler.handle(record)) and not failures",
        "return bool(handler.handle(record))",
        (f"{WRITTEN_LOG_TESTS}::test_lost",),
    ),
    Mutant(
        "clients-without-a-bound",
        "the port of the metrics holds a bounded number of connections",
        "jobqueue/worker/reporting/request_server.py",
        "if len(self._clients) > MAX_CLIENTS:",
        "if not self._clients:",
        (f"{REQUEST_SERVER_TESTS}::test_answered_though_others_hold_connections",),
    ),
    Mutant(
        "line-into-a-long-line",
        "no process writes to the log while another writes a long line",
        LOG_LOCK,
        "_SHARE_OUTPUT = _Request.of(fcntl.LOCK_SH, 1)",
        "_SHARE_OUTPUT = _Request.of(fcntl.LOCK_UN, 1)",
        (f"{LOG_LOCK_TESTS}::test_whole_lines",),
    ),
    Mutant(
        "line-after-a-cut-line",
        "the line after one that was cut off begins anew",
        LOG_LOCK,
        'line = b"\\n" + line',
        "pass",
        (f"{LOG_LOCK_TESTS}::test_killed_writer",),
    ),
    Mutant(
        "locks-shared-with-a-fork",
        "a forked process locks the log for itself",
        LOG_LOCK,
        "call_in_children(self._open_own)",
        "pass",
        (f"{LOG_LOCK_TESTS}::test_worker",),
    ),
]
