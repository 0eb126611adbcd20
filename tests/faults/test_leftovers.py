"""What a campaign has left in the broker is looked at, whatever it is."""

from pathlib import Path

import pytest

from tests.helpers.servers import REAL

from .binlog import WatchedBeanstalkd
from .books import Fate
from .ledger import Ledger
from .leftovers import look_at_buried
from .verdict import Reason, judge


@pytest.mark.usefixtures("_each_beanstalkd")
def test_destroyed_body(tmp_path: Path, socket_folder: Path) -> None:
    """A job with zeros for a body is found, and so are those after it."""
    ledger = Ledger(tmp_path / "ledger")
    binlog = tmp_path / "binlog"
    binlog.mkdir()
    bodies = [b'{"kwargs": {"number": %d}}' % number for number in (1, 2)]
    ledger.sent([1, 2], Fate.FAILS, ttr=1)
    broker = WatchedBeanstalkd(socket_folder / "b.sock", binlog, REAL, ledger)
    broker.start()
    ledger.confirmed({n: broker.put(bodies[n - 1], "t") for n in (1, 2)})
    with broker.client("t") as client:
        for _ in bodies:
            client.bury(client.reserve())
    broker.kill()
    (file,) = binlog.glob("binlog.*")
    body = bodies[0] + b"\r\n"
    file.write_bytes(file.read_bytes().replace(body, bytes(len(body))))
    broker.start()
    ledger.fault("broker-killed", 0, 0, None, None)

    look_at_buried(broker, ["t"], ledger)

    assert broker.counts("t") == {}
    broker.kill()
    found = judge(ledger.read())
    ledger.close()
    assert found.lost == []
    assert found.reasons[Reason.DESTROYED] == 1
    assert found.buried == 2
