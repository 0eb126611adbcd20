"""Producers under load: many threads, forks, event loops, and bulk."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobqueue import JobQueue, Putter
from tests.helpers.paths import ROOT
from tests.helpers.servers import Beanstalkd, eventually, require_beanstalkd


def put_many_times(task: Putter[[int], None], times: int) -> list[int]:
    return [task.put(n) for n in range(times)]


def assert_each_is_there_once(broker: Beanstalkd, ids: list[int], count: int) -> None:
    assert Counter(ids).most_common(1)[0][1] == 1
    assert len(ids) == count
    assert broker.counts("t") == {"ready": count}


def test_threads(broker: Beanstalkd, queue: JobQueue) -> None:
    """32 threads put at the same time, and leave no socket."""

    @queue.task("t")
    def task_one(n: int) -> None: ...

    with ThreadPoolExecutor(32) as threads:
        found = threads.map(lambda _: put_many_times(task_one, 1000), range(32))
        ids = [job_id for thread in found for job_id in thread]

    assert_each_is_there_once(broker, ids, 32_000)
    assert broker.connections() <= 32
    queue.close()
    eventually(broker.connections, 0)


def test_event_loop(broker: Beanstalkd, queue: JobQueue) -> None:
    """An event loop puts a thousand jobs at once."""

    @queue.task("t")
    def task_one(n: int) -> None: ...

    async def put() -> list[int]:
        ids = await asyncio.gather(*(task_one.aput(n) for n in range(1000)))
        return ids + await task_one.aput_many({"n": n} for n in range(10))

    ids = asyncio.run(put())

    assert_each_is_there_once(broker, ids, 1010)
    queue.close()
    eventually(broker.connections, 0)


FORKING = """
import os, sys, threading
from pathlib import Path
from jobqueue import JobQueue
from tests.helpers.servers import Beanstalkd

def put(n, file):
    with open(file, "w") as ids:
        for _ in range(n):
            print(task_one.put(), file=ids)

with JobQueue(sys.argv[1]) as queue:
    @queue.task("t")
    def task_one(): ...

    threads = [
        threading.Thread(target=put, args=(2000, f"parent-{n}")) for n in range(2)
    ]
    for thread in threads:
        thread.start()
    children = []
    for n in range(8):
        task_one.put_many([{}] * 10)
        child = os.fork()
        if not child:
            put(1000, f"child-{n}")
            queue.close()
            os._exit(0)
        children.append(child)
    for thread in threads:
        thread.join()
    for child in children:
        assert os.waitpid(child, 0)[1] == 0, "a child has failed"
print(Beanstalkd(Path(sys.argv[1].removeprefix("unix://"))).connections())
"""


def test_forked_children(broker: Beanstalkd, tmp_path: Path) -> None:
    """8 forked children put while the threads of their parent do."""
    # Python warns of a fork beside threads, which this test is about.
    forking = "ignore:.*multi-threaded:DeprecationWarning"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", forking, "-c", FORKING, broker.url],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("0\n", "")  # no connection is left
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [f"child-{n}" for n in range(8)] + ["parent-0", "parent-1"]
    ids = [int(i) for name in files for i in (tmp_path / name).read_text().split()]
    assert max(Counter(ids).values()) == 1
    assert len(ids) == 8 * 1000 + 2 * 2000
    assert broker.counts("t") == {"ready": len(ids) + 80}


def test_close_while_others_put(broker: Beanstalkd, queue: JobQueue) -> None:
    """Closing the queue while others put loses no job, and leaves no socket."""

    @queue.task("t")
    def task_one(n: int) -> None: ...

    ended = threading.Event()

    def close_again_and_again() -> None:
        while not ended.is_set():
            queue.close()

    closing = threading.Thread(target=close_again_and_again)
    closing.start()
    try:
        with ThreadPoolExecutor(4) as threads:
            found = threads.map(lambda _: put_many_times(task_one, 300), range(4))
            ids = [job_id for thread in found for job_id in thread]
    finally:
        ended.set()
        closing.join()

    assert_each_is_there_once(broker, ids, 1200)
    queue.close()
    eventually(broker.connections, 0)


BULK = """
import resource, sys
from jobqueue import JobQueue

def peak():
    # Not ru_maxrss, which includes the peak of the parent.
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0])

with JobQueue(sys.argv[1]) as queue:
    @queue.task("t")
    def task_one(n, text): ...

    count = int(sys.argv[2])
    ids = task_one.put_many({"n": n, "text": "x" * 100} for n in range(count))
    per_id = sys.getsizeof(ids[-1]) + 9  # 8 bytes in the list, and its reserve
    print(peak() * 1024 - len(ids) * per_id, ids == list(range(ids[0], ids[0] + count)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.thorough
def test_memory_of_put_many(socket_folder: Path) -> None:
    """Many generated jobs take no more memory than a few."""
    peaks = []
    with Beanstalkd(socket_folder / "b.sock") as broker:
        for count in (1000, 200_000):
            done = subprocess.run(
                [sys.executable, "-c", BULK, broker.url, str(count)],
                capture_output=True,
                text=True,
                check=True,
            )
            peak, in_order = done.stdout.split()
            assert in_order == "True"
            peaks.append(int(peak))

    assert peaks[1] - peaks[0] < 12_000_000


def test_producer_benchmark_runs() -> None:
    require_beanstalkd()
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "tests/benchmarks/producer.py",
            *("--puts", "20", "--rounds", "2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    for ratio in (
        "put / greenstalk, one connection",
        "put_many / bare socket, 500 a write",
        "put / a connection for each put",
        "aput, 100 at a time / put",
    ):
        assert re.search(rf"^{ratio}: \d+\.\d\d \(", done.stdout, re.MULTILINE)
