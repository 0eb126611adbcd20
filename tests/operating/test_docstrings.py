"""The examples in the docstrings of Operator, each on a broker of its own.

Each public method and property has one.
"""

import doctest
import inspect

import pytest

from jobqueue import JobQueue, JobState, Operator
from jobqueue.operating.filters import Filters
from tests.helpers.noted_failure import put_note
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import bury
from tests.helpers.ticks import put_tick

EXAMPLES = {
    name: getattr(Operator, name) for name in dir(Operator) if not name.startswith("_")
}


@pytest.fixture
def names(broker: Beanstalkd) -> dict[str, object]:
    """Return what the examples use: a tube with a job in each of three states."""
    queue = JobQueue(broker.url)

    @queue.task("emails")
    def send(to: str) -> None: ...

    send.put(to="ada")
    nobody = send.put(to="nobody")
    bury(broker, [nobody])
    send.options(delay=60).put(to="bob")
    put_note(broker, nobody, tube="emails")
    put_tick(broker)
    values = {"Filters": Filters, "JobState": JobState, "Operator": Operator}
    return values | {"url": broker.url, "queue": queue}


@pytest.mark.parametrize("name", ["Operator", "queue", *EXAMPLES])
def test_example(name: str, names: dict[str, object]) -> None:
    documented = {"Operator": Operator, "queue": JobQueue.operator} | EXAMPLES
    queue = names["queue"]
    assert isinstance(queue, JobQueue)
    with queue, queue.operator as names["operator"]:
        text = inspect.getdoc(documented[name]) or ""
        test = doctest.DocTestParser().get_doctest(text, names, name, None, None)
        result = doctest.DocTestRunner().run(test)
        if isinstance(own := test.globs.get("operator"), Operator):
            own.close()

    assert result.attempted > 0
    assert result.failed == 0
