"""kick: buried jobs become ready, and no others."""

import threading

import jobqueue
from jobqueue import Worker
from tests.helpers.servers import Beanstalkd, eventually_true
from tests.helpers.terminal import (
    bury,
    operate,
    operate_json,
    put,
    put_buried,
)


def test_kick_all_leaves_delayed_jobs_alone(broker: Beanstalkd) -> None:
    put_buried(broker, 2000)
    put(broker, 10, "other")
    put(broker, 20, delay=1000)

    done = operate(broker, "kick", "t", "--all")
    again = operate(broker, "kick", "t", "--all", "--json")

    assert done.stdout == "Kicked 2,000 jobs of tube 't'\n"
    assert broker.counts("t") == {"ready": 2000, "delayed": 20}
    assert (again.returncode, again.stdout) == (1, '{"kicked": 0}\n')


def test_kick_count_takes_the_oldest_burials(broker: Beanstalkd) -> None:
    ids = put(broker, 10)
    bury(broker, reversed(ids))
    put(broker, 5, delay=1000)

    values = operate_json(broker, "kick", "t", "--count", 4)

    assert values == {"kicked": 4}
    kicked = [n for n in ids if broker.stats_job(n)["state"] == "ready"]
    assert kicked == ids[-4:]
    assert operate_json(broker, "kick", "t", "--count", 99) == {"kicked": 6}
    assert broker.counts("t") == {"ready": 10, "delayed": 5}


def test_kick_by_id(broker: Beanstalkd) -> None:
    (buried,) = put_buried(broker)
    (delayed,) = put(broker, 1, delay=1000)

    done = operate(broker, "kick", "--job", buried, delayed, 99)

    assert done.returncode == 1
    assert done.stdout == "Kicked 1 job\n"
    assert done.stderr.splitlines() == [
        f"job {delayed} is delayed, not buried",
        "there is no job 99",
        "A kicked job may be retried, or crash its worker, as often as a new job",
    ]
    assert broker.counts("t") == {"ready": 1, "delayed": 1}


def test_kick_beside_other_operators(
    broker: Beanstalkd,
) -> None:
    """No delayed job is kicked while another client deletes buried ones."""
    ids = put_buried(broker, 1500)
    put(broker, 50, delay=1000)
    is_over = threading.Event()

    def interfere() -> None:
        with broker.client("t") as client:
            for job_id in ids[::-2]:
                client.delete(job_id)
            is_over.set()

    thread = threading.Thread(target=interfere)
    thread.start()
    while not is_over.is_set():
        operate(broker, "kick", "t", "--all")
    thread.join()
    operate(broker, "kick", "t", "--all")

    counts = broker.counts("t")
    assert counts["delayed"] == 50
    assert "buried" not in counts


def test_kick_ends_while_workers_bury(broker: Beanstalkd) -> None:
    """Each job is kicked once, though workers bury it again meanwhile."""
    put_buried(broker, 300)

    @jobqueue.JobQueue(broker.url).task("t")
    def send(n: int) -> None:
        raise ValueError(n)

    worker = Worker(url=broker.url)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        done = operate(broker, "kick", "t", "--all")
        eventually_true(lambda: broker.counts("t") == {"buried": 300})
    finally:
        worker.stop()
        thread.join()

    assert done.stdout == "Kicked 300 jobs of tube 't'\n"
    assert broker.stats_job(1)["kicks"] == 1
