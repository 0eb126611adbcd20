import pytest

from tests.helpers.servers import require_beanstalkd


@pytest.fixture(autouse=True)
def _needs_the_real_server(_fresh_process: None) -> None:
    """Skip what shows nothing on the development server: it has no binlog."""
    require_beanstalkd()
