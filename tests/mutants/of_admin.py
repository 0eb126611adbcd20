"""Faults in the operator's commands."""

from .mutant import Mutant

CHANGE = "jobqueue/admin/commands/change.py"
IMPORTER = "jobqueue/admin/commands/importer.py"

OF_ADMIN = [
    Mutant(
        "import-lets-buried-jobs-run",
        "a buried job is imported as buried",
        IMPORTER,
        "options._replace(delay=self._burials.delay)",
        "options._replace(delay=0)",
        ("tests/admin/commands/test_importer.py",),
    ),
    Mutant(
        "import-repeats-lines",
        "import says the line to go on from",
        IMPORTER,
        "            self.next_line += lines\n",
        "",
        ("tests/admin/commands/test_transfer.py",),
    ),
    Mutant(
        "import-counts-unburied-jobs",
        "a job to be buried counts as imported only when it is",
        IMPORTER,
        "lines = buried[done][0] if done < len(buried) else len(ids)",
        "lines = len(ids)",
        ("tests/admin/commands/test_burials.py",),
    ),
    Mutant(
        "kick-takes-delayed-jobs",
        "kick makes buried jobs ready, never delayed ones",
        CHANGE,
        "buried = [job.id for job in records if job and job.state == JobState.BURIED]",
        "buried = [job.id for job in records if job]",
        ("tests/admin/commands/test_kick.py",),
    ),
    Mutant(
        "clear-does-not-ask",
        "clear asks before it deletes",
        CHANGE,
        "    _confirm(session, tube, free)\n",
        "",
        ("tests/admin/test_command_line.py", "tests/admin/commands/test_change.py"),
    ),
]
