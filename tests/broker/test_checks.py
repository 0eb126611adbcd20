"""What beanstalkd takes is accepted, and anything else is refused."""

import pytest

from jobqueue import TubeNameError
from jobqueue.broker.checks import check_tube


@pytest.mark.parametrize("name", ["a", "Z9", "a-b+c/d;e.f$g_h(i)", "x" * 200, "("])
def test_tube_names(name: str) -> None:
    """A tube name that beanstalkd takes is accepted."""
    assert name == check_tube(name)


@pytest.mark.parametrize(
    "name", ["", "-a", "a b", "a\r\ndelete 1", "a\n", "ä", "x" * 201, "a,b", "a\0", "٣"]
)
def test_wrong_tube_names(name: str) -> None:
    """Any other tube name is refused."""
    with pytest.raises(TubeNameError, match="is not a tube name"):
        check_tube(name)
