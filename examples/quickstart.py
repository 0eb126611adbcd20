"""Tasks, puts and a worker, all in one command.

Uses the beanstalkd at $BEANSTALKD_URL, else one on port 11300 of this machine, else
jobqueue's development server, which then runs as long as the example.
"""

import subprocess
import sys
import time
from pathlib import Path

from local_broker import local_broker

from jobqueue import BrokerError, JobQueue

queue = JobQueue()


@queue.task("quickstart")
def greet(name: str) -> None:
    """Say hello."""
    print(f"  Hello, {name}!")


@queue.task("quickstart")
def add(a: int, b: int = 1) -> None:
    """Add two numbers, slowly."""
    time.sleep(0.1)
    print(f"  {a} + {b} = {a + b}")


def main() -> None:
    """Put three jobs, and have a worker in another process run them."""
    with local_broker(), queue:
        print(f"put job {greet.put(name='Ada')}: greet(name='Ada')")
        print(f"put job {add.put(a=1, b=2)}: add(a=1, b=2)")
        print(f"put job {add.put(a=41)}: add(a=41)")

        command = ["-m", "jobqueue.worker", "--import", "quickstart", "--burst"]
        print("start a worker: python", *command, flush=True)
        subprocess.run(
            [sys.executable, *command, "--log-level", "warning"],
            cwd=Path(__file__).parent,
            check=True,
        )
        print("all done")


if __name__ == "__main__":
    try:
        main()
    except BrokerError as error:
        sys.exit(str(error))
