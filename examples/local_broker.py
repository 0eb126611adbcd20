"""A broker for the examples: one that runs already, or one of their own."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def local_broker() -> Iterator[None]:
    """Make sure that there is a beanstalkd, and that $BEANSTALKD_URL names it."""
    if "BEANSTALKD_URL" in os.environ or port_is_open():
        yield
        return
    if not shutil.which("beanstalkd"):
        sys.exit(
            "There is no beanstalkd on port 11300, and none installed to start one.\n"
            "Install it (apt-get install beanstalkd, or brew install beanstalkd), or\n"
            "set BEANSTALKD_URL to where one is, as in beanstalkd://host:11300."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "beanstalkd.sock"
        server = subprocess.Popen(["beanstalkd", "-l", f"unix:{path}"])
        try:
            while not path.exists() and server.poll() is None:
                time.sleep(0.01)
            os.environ["BEANSTALKD_URL"] = f"unix://{path}"
            print("no beanstalkd on port 11300: started one for this run")
            yield
        finally:
            server.terminate()
            server.wait()


def port_is_open() -> bool:
    """Tell whether something listens where beanstalkd does by default."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", 11300)) == 0
