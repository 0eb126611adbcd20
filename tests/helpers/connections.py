"""Connections to a broker, of jobqueue in every role, and without jobqueue."""

import greenstalk

from jobqueue.broker.address import Address
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.operating import OperatorConnection


class FullConnection(OperatorConnection, ConsumerConnection):
    """A producer, consumer and operator in one: one test covers the calls of all."""


def client_of(url: str, tube: str = "t") -> "greenstalk.Client[bytes]":
    """Return a client of the broker with this URL, which puts and watches one tube."""
    target = Address.parse(url).target
    return greenstalk.Client(target, encoding=None, use=tube, watch=tube)
