"""How much the pages ask of a broker that has thousands of tubes, and many jobs."""

import re
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from jobqueue import JobQueue
from tests.helpers.page import Page
from tests.helpers.servers import Beanstalkd
from tests.helpers.terminal import put

TUBES, JOBS = 2_000, 50_000  # the benchmark tests/benchmarks/web.py has 1,000,000
SHOWN = 50  # tubes on a page


class Relay:
    """Stands before a broker, and counts round trips: commands after a reply."""

    def __init__(self, path: Path, broker: Beanstalkd) -> None:
        self.url = f"unix://{path}"
        self.trips = 0
        self._broker = broker
        self._server = socket.create_server(str(path), family=socket.AF_UNIX)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        broker = socket.socket(socket.AF_UNIX)
        with client, broker:
            broker.connect(str(self._broker.target))
            has_replied = True
            while True:
                for source in select.select([client, broker], [], [])[0]:
                    data = source.recv(2**16)
                    if not data:
                        return
                    if source is broker:
                        has_replied = True
                        client.sendall(data)
                        continue
                    self.trips += has_replied
                    has_replied = False
                    broker.sendall(data)


@pytest.fixture
def relay(socket_folder: Path, broker: Beanstalkd) -> Iterator[Relay]:
    with Relay(socket_folder / "relay.sock", broker) as relay:
        yield relay


def commands(broker: Beanstalkd) -> dict[str, int]:
    """Return how often the broker has got each command, this look included."""
    with broker.client() as client:
        stats = client.stats()
    return {
        name.removeprefix("cmd-"): int(str(count))
        for name, count in stats.items()
        if name.startswith("cmd-")
    }


@pytest.mark.thorough
def test_thousands_of_tubes(relay: Relay, broker: Beanstalkd) -> None:
    """At most two round trips for each tube shown, and no look at jobs but the next."""
    put(broker, JOBS, "many")
    for number in range(TUBES):
        put(broker, 1, f"tube-{number:04}")
    with JobQueue(relay.url) as queue:
        page = Page(queue)
        before = commands(broker)

        first = page.text("/")
        trips = relay.trips
        after = commands(broker)
        page.get("/", Jobqueue_Refresh="1")

        assert relay.trips == trips  # of the same sample
        assert len(re.findall('<tr role="row" id="tube-', first)) == SHOWN
        assert trips <= 2 * SHOWN
        asked = {
            name: count - before[name]
            for name, count in after.items()
            if count > before[name] and name != "use"
        }
        assert asked == {
            "stats": 1 + 1,  # with ours
            "list-tubes": 1,
            "stats-tube": TUBES + 2,  # many, and default
            "peek-ready": SHOWN,
            "stats-job": SHOWN,
        }

        trips = relay.trips
        text = page.text("/tube?name=many&state=ready")
        assert len(re.findall(r'href="/jobs/\d+"', text)) == SHOWN
        assert relay.trips - trips <= 2 * SHOWN
