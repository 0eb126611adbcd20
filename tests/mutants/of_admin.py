"""Faults in the operator's commands."""

from .mutant import Mutant

CHANGE = "jobqueue/admin/commands/change.py"
IMPORTER = "jobqueue/admin/commands/importer.py"
BURIALS_TESTS = "tests/admin/commands/test_burials.py"
CHANGE_TESTS = "tests/admin/commands/test_change.py"
IMPORTER_TESTS = "tests/admin/commands/test_importer.py"
KICK_TESTS = "tests/admin/commands/test_kick.py"
TRANSFER_TESTS = "tests/admin/commands/test_transfer.py"

OF_ADMIN = [
    Mutant(
        "import-lets-buried-jobs-run",
        "a buried job is imported as buried",
        IMPORTER,
        "options._replace(delay=self._burials.delay)",
        "options._replace(delay=0)",
        (f"{IMPORTER_TESTS}::test_delay",),
    ),
    Mutant(
        "import-repeats-lines",
        "import says the line to go on from",
        IMPORTER,
        "            self.next_line += lines\n",
        "",
        (f"{TRANSFER_TESTS}::test_import_stops_at_a_bad_line",),
    ),
    Mutant(
        "import-counts-unburied-jobs",
        "a job to be buried counts as imported only when it is",
        IMPORTER,
        "lines = buried[done][0] if done < len(buried) else len(ids)",
        "lines = len(ids)",
        (f"{BURIALS_TESTS}::test_broker_away_in_the_burying",),
    ),
    Mutant(
        "kick-takes-delayed-jobs",
        "kick makes buried jobs ready, never delayed ones",
        "jobqueue/operating/operator.py",
        "buried = [job for job in jobs if job.state == JobState.BURIED]",
        "buried = jobs",
        (f"{KICK_TESTS}::test_kick_by_id",),
    ),
    Mutant(
        "kick-keeps-stale-notes",
        "a kick deletes the notes of its jobs' earlier failures",
        "jobqueue/operating/operator.py",
        "        delete_notes(connection, notes.ids_of(set(changed)))\n",
        "",
        ("tests/operating/test_notes.py::test_stale_notes_are_deleted",),
    ),
    Mutant(
        "reader-misses-notes",
        "a reader looks again for the notes that another one has",
        "jobqueue/operating/notes.py",
        "if missing <= 0 or time",
        "if True or time",
        ("tests/operating/test_notes.py::test_readers_at_the_same_time",),
    ),
    Mutant(
        "clear-does-not-ask",
        "clear asks before it deletes",
        CHANGE,
        "    _confirm(session, tube, free)\n",
        "",
        (f"{CHANGE_TESTS}::test_clear_needs_yes_without_a_terminal",),
    ),
    Mutant(
        "page-skips-jobs",
        "a search in parts looks at each job",
        "jobqueue/operating/paging.py",
        "            self._ids.give_back(jobs[0].id, jobs[-1].id)\n",
        "",
        ("tests/operating/test_paging.py::test_each_job_comes_once",),
    ),
    Mutant(
        "last-kick-is-a-guess",
        "kick warns of last kicks by the max_kicks of the jobs' tasks",
        "jobqueue/worker/slots/failure_notes.py",
        "stats.kicks + 1 >= max_kicks",
        "stats.kicks + 1 >= 3",
        ("tests/worker/slots/test_failure_notes.py::test_the_last_kick",),
    ),
]
