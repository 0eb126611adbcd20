"""What a web application tells of a job: it waits, runs, or failed, and why.

Put a job, and follow it: ``python job_status.py``, with a worker beside it:
``python -m jobqueue.worker --import job_status``.
"""

import sys
import time

from jobqueue import JobQueue

queue = JobQueue()


@queue.task("reports")
def build_report(pages: int) -> None:
    """Fail for a report without pages."""
    if not pages:
        raise ValueError("a report needs pages")


def status(job_id: int) -> str:
    """Return what a user is told of a job."""
    job = queue.operator.job(job_id)
    if job is None:
        return "done"
    if job.state != "buried":
        return "running" if job.state == "reserved" else "waiting"
    failure = queue.operator.failure(job_id)
    return f"failed, because {failure.error_text}" if failure else "failed"


def cancel(job_id: int) -> bool:
    """Return whether the job was cancelled: a job that runs goes on."""
    return queue.operator.delete(job_id) == [job_id]


def most_frequent_failures(count: int) -> list[str]:
    """Return lines about the failures that most jobs have had."""
    groups = queue.operator.failure_groups("reports")
    return [
        f"{group.failed} times {group.error} in {group.func_name}, "
        f"last at {group.last:%H:%M}; {group.buried} jobs wait for a kick"
        for group in groups[:count]
    ]


def main() -> int:
    """Follow a job to its end."""
    with queue:
        job_id = build_report.put(pages=0)
        while (told := status(job_id)) in {"waiting", "running"}:
            print(f"job {job_id} is {told}")
            time.sleep(0.5)
        print(f"job {job_id} is {told}" if told == "done" else f"job {job_id} {told}")
        print(*most_frequent_failures(3), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
