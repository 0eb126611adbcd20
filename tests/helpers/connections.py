"""A connection of every role."""

from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.operating import OperatorConnection


class FullConnection(OperatorConnection, ConsumerConnection):
    """A producer, consumer and operator in one: one test covers the calls of all."""
