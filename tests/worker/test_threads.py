"""A thread that has failed to start another one is as it was before."""

import subprocess
import sys

import pytest

from tests.helpers.paths import ROOT

SCRIPT = """
import ctypes, resource, threading, time
from jobqueue import JobQueueError
from jobqueue.worker.exits import start_call
from jobqueue.worker.threads import start_thread

def pages():
    return int(open("/proc/self/statm").read().split()[0])

def fail():
    limit = resource.getrlimit(resource.RLIMIT_AS)
    size = pages() * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**20, -1))  # no room for a stack
    try:
        start_thread(print, name="none")
    except JobQueueError as error:
        print(error)
    start_call(print, "called here")
    resource.setrlimit(resource.RLIMIT_AS, limit)

def run():
    for _ in range(3):
        fail()
    failed.set()
    try:
        while True:
            time.sleep(0.001)
    except KeyError:
        print("raised")

failed = threading.Event()
thread = threading.Thread(target=run)
thread.start()
failed.wait()
ctypes.pythonapi.PyThreadState_SetAsyncExc(
    ctypes.c_ulong(thread.ident), ctypes.py_object(KeyError)
)
thread.join()
threading.Thread(target=print, args=("started",)).start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is one of Linux")
def test_errors_can_be_raised_in_it() -> None:
    """By the real system, as a time limit raises them."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )

    assert done.stderr == ""
    why = (
        "the thread none can't be started (can't start new thread): start fewer "
        "threads, or raise the system's limit"
    )
    assert done.stdout.splitlines() == [*[why, "called here"] * 3, "raised", "started"]
