"""A connection whose replies an event loop waits for."""

import asyncio
import os

from jobqueue.broker.address import Address
from jobqueue.broker.loop_consuming import LoopConsumerConnection
from tests.helpers.servers import Beanstalkd, eventually_true


def test_number_of_a_closed_file(broker: Beanstalkd) -> None:
    """A task's code has closed a file that its loop still watches."""

    async def reserve() -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        address = Address.parse(f"{broker.url}?timeout=60")
        reader, writer = os.pipe()
        loop.add_reader(reader, lambda: None)
        os.close(reader)
        os.close(writer)
        with LoopConsumerConnection(address, loop) as connection:
            assert connection._socket.fileno() == reader
            connection.begin_reserve(0)
            connection.prepare(ended.set)
            assert not connection.begin()
            await asyncio.wait_for(ended.wait(), 20)
            assert connection.end_wait()
            assert connection.reserve(0) is None

    asyncio.run(reserve())


def test_reply_at_the_last_moment(broker: Beanstalkd) -> None:
    """It ends its own wait, and leaves the next one alone."""
    waits: list[str] = []

    async def reserve() -> None:
        loop = asyncio.get_running_loop()
        with LoopConsumerConnection(Address.parse(broker.url), loop) as connection:

            def begin_next() -> None:
                waits.append("first")
                assert connection.end_wait()
                assert connection.reserve(0) is None
                connection.prepare(lambda: waits.append("next"))

            connection.begin_reserve(0)
            connection.prepare(begin_next)
            eventually_true(connection.has_received)
            connection._due = 0.0
            connection._look_at_clock()
            assert waits == ["first"]

    asyncio.run(reserve())
