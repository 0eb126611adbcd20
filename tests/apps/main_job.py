"""Two tubes with a task each, registered in the two ways there are."""

from pathlib import Path

from jobqueue import JobQueue

queue = JobQueue()


@queue.task("task_tube_one")
def task_one(arg1: str, arg2: str, arg3: str) -> None:
    with Path("ran").open("a") as ran:
        print(arg1, arg2, arg3, file=ran)


@JobQueue.task("task_tube_two")
def task_two(n: int) -> None:
    with Path("two").open("a") as two:
        print(n, file=two)
