"""The most memory that a command has held."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

# Run a command, and print its peak memory. Of a child of this process, the system would
# count the memory of this process as well, as it was before the child became a command.
_PEAK_OF = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
sys.stderr.write("\\n%d" % resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


def peak_of(
    command: Sequence[str], *, stdout: IO[bytes], env: Mapping[str, str]
) -> tuple[int, int]:
    """Run a command on Linux; return the bytes that it held, and its exit status."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK_OF, *command],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=env,
        check=False,
    )
    return int(done.stderr.split()[-1]) * 1024, done.returncode
