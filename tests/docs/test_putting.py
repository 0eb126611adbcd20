"""The page guide/putting."""

from jobqueue import JobQueue, Worker
from tests.helpers.pages import blocks
from tests.helpers.servers import Beanstalkd


def test_job_in_json(broker: Beanstalkd) -> None:
    """The job that other languages may put runs."""
    (body,) = blocks("guide/putting", "json")
    ran = []

    @JobQueue(broker.url).task("task_tube_one")
    def task_one(**kwargs: str) -> None:
        ran.append(kwargs)

    with broker.client("task_tube_one") as client:
        client.put(body.encode())
    Worker(burst=True).run()

    assert ran == [{"arg1": "a", "arg2": "b", "arg3": "c"}]
