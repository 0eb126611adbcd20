"""Outage: whether the broker is away."""

import threading

from jobqueue.broker.address import Address
from jobqueue.errors import BrokerError
from jobqueue.worker.processes.status_board import StatusBoard
from jobqueue.worker.reporting.reporter import Reporter


class Outage:
    """Whether the broker is away, as the slots of a process have found.

    An outage is reported once, when the first slot notices it, and its end once, when
    the first slot is connected again. ``status_board`` says it to the supervisor.
    """

    def __init__(
        self, address: Address, reporter: Reporter, status_board: StatusBoard
    ) -> None:
        self._address = address
        self._reporter = reporter
        self._status_board = status_board
        self._lock = threading.Lock()
        self._is_on = False

    def begin(self, error: BrokerError) -> None:
        """Take note that the broker is away."""
        with self._lock:
            if not self._is_on:
                self._reporter.broker_lost(error)
            self._is_on = True
            self._status_board.has_broker = False

    def end(self) -> None:
        """Take note that the broker is there."""
        with self._lock:
            if self._is_on:
                self._reporter.broker_found(self._address)
            self._is_on = False
            self._status_board.has_broker = True
