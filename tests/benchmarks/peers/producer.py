"""The process that puts jobs: it reads commands, and prints the seconds each took.

    python -m tests.benchmarks.peers.producer APP

A command is a line of JSON: ["put", task, count], ["put_many", count] or
["put_stamps", pace, count]. The process stays, so that connections are warm.
"""

import importlib
import json
import sys
import time


def main() -> None:
    """Obey commands until the input ends."""
    app = importlib.import_module(f"tests.benchmarks.peers.apps.{sys.argv[1]}")
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        started = time.perf_counter()
        getattr(app, name)(*arguments)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
