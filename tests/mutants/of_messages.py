"""Faults in what a job says beside its arguments: its name, its headers, its age."""

from .mutant import Mutant

ADMISSION = "jobqueue/worker/slots/admission.py"
EXPIRY = "jobqueue/job/expiry.py"
JOB_LOG = "jobqueue/worker/reporting/job_log.py"
PUTTER = "jobqueue/task/putter.py"
REGISTRY = "jobqueue/task/registry.py"
EXPIRY_TESTS = "tests/job/test_expiry.py"
HEADERS_TESTS = "tests/job/test_headers.py"
MAX_AGE_TESTS = "tests/worker/slots/test_max_age.py"
NAMES_TESTS = "tests/task/test_names.py"

OF_MESSAGES = [
    Mutant(
        "kicked-job-expires",
        "a job that an operator has kicked runs, however old it is",
        EXPIRY,
        "if max_age is None or stats.kicks:",
        "if max_age is None:",
        (f"{EXPIRY_TESTS}::test_rule",),
    ),
    Mutant(
        "delay-makes-a-job-old",
        "the delay of a put does not count for max_age",
        EXPIRY,
        "        age -= stats.delay\n",
        "        pass\n",
        (f"{EXPIRY_TESTS}::test_rule",),
    ),
    Mutant(
        "age-is-seldom-asked",
        "the age of each job that has a max_age is checked",
        ADMISSION,
        "if not (may_be_moved or has_max_age):",
        "if not may_be_moved:",
        (f"{MAX_AGE_TESTS}::test_costs_others_no_question",),
    ),
    Mutant(
        "age-is-always-asked",
        "a job without max_age costs no question to the broker",
        ADMISSION,
        "if not (may_be_moved or has_max_age):",
        "if False:",
        (f"{MAX_AGE_TESTS}::test_costs_others_no_question",),
    ),
    Mutant(
        "silent-expiry",
        "a job that has expired is never deleted in silence",
        JOB_LOG,
        "                _log_expired(job, result, decision)\n",
        "                pass\n",
        (f"{MAX_AGE_TESTS}::test_expired_job",),
    ),
    Mutant(
        "other-option-drops-headers",
        "an option that is not given stays as it is",
        PUTTER,
        "            headers = self._headers\n",
        "            headers = {}\n",
        (f"{HEADERS_TESTS}::test_body",),
    ),
    Mutant(
        "signed-before-the-headers",
        "headers are signed with the rest",
        PUTTER,
        "            body = self._with_headers(body, kwargs)\n"
        "        return self._sign(body)",
        "            return self._with_headers(self._sign(body), kwargs)\n"
        "        return self._sign(body)",
        (f"{HEADERS_TESTS}::test_signed",),
    ),
    Mutant(
        "name-of-another-task",
        "two tasks of a tube have no name in common",
        REGISTRY,
        "            if known and _relation(task, known) is Relation.ANOTHER:\n",
        "            if False:\n",
        (f"{NAMES_TESTS}::test_two_tasks_of_one_name",),
    ),
]
