"""`top`: asks again and again, and shows what comes of it."""

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack

from jobqueue.admin.screen.console import Console, find_rich
from jobqueue.admin.screen.table import Cell, Table
from jobqueue.admin.top import view as top_view
from jobqueue.admin.top.keyboard import waiting
from jobqueue.admin.top.rates import Sample, Trends
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.errors import BrokerError


class Source:
    """Takes samples, and connects anew when the broker was away."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._operator: OperatorConnection | None = None

    def sample(self) -> Sample:
        """Return what the broker counts now. Raises ``BrokerError``."""
        operator = self._operator
        if operator is None or not operator.is_open:
            operator = self._operator = OperatorConnection(self._address)
        tubes = operator.tube_records(operator.tubes())
        by_name = {tube.tube: tube for tube in tubes if tube}
        return Sample(time.monotonic(), operator.server(), by_name)

    def close(self) -> None:
        """Close the connection."""
        if self._operator is not None:
            self._operator.close()


def run(address: Address, console: Console, interval: float) -> None:
    """Show what the broker counts, until a key or a signal ends it.

    Raises ``BrokerError`` if the broker is away at the start; later it is waited for.
    """
    source = Source(address)
    first = source.sample()
    rich = find_rich() if console.is_terminal and not console.as_json else None
    with ExitStack() as stack:
        stack.callback(source.close)
        if rich is None:
            _follow(source, first, Lines(console), time_out(interval))
            return
        wait = stack.enter_context(waiting())
        draw = stack.enter_context(rich.screen())
        title = f"jobqueue top   {address}   every {interval:g} s, q quits"
        _follow(source, first, Screen(draw, title), lambda: wait(interval))


def time_out(interval: float) -> Callable[[], bool]:
    """Return a function that waits, and is never told to stop."""

    def wait() -> bool:
        time.sleep(interval)
        return False

    return wait


def _follow(
    source: Source, sample: Sample, shown: "Screen | Lines", wait: Callable[[], bool]
) -> None:
    trends = Trends()
    trends.add(sample)
    shown.sample(sample, trends)
    while not wait():
        try:
            sample = source.sample()
        except BrokerError as error:
            shown.away(error)
            continue
        trends.add(sample)
        shown.sample(sample, trends)


class Screen:
    """Shows each sample on the whole terminal."""

    def __init__(self, draw: Callable[[list[Cell | Table]], None], title: str) -> None:
        self._draw = draw
        self._title = title
        self._parts: list[Cell | Table] = []

    def sample(self, sample: Sample, trends: Trends) -> None:
        """Show what the broker counts now."""
        size = shutil.get_terminal_size()
        self._parts = top_view.screen(sample, trends, size, self._title)
        self._draw(self._parts)

    def away(self, error: BrokerError) -> None:
        """Say that the broker is away, over what it counted last."""
        says = Cell(f"Waiting for the broker: {error}", "bold red")
        self._draw([self._parts[0], says, *self._parts[2:]])


class Lines:
    """Prints each sample below the one before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_away = False

    def sample(self, sample: Sample, trends: Trends) -> None:
        """Show what the broker counts now."""
        console = self._console
        if self._is_away:
            console.note("The broker is back")
            self._is_away = False
        if console.as_json:
            console.json(top_view.values(sample, trends))
        else:
            console.line(time.strftime("%H:%M:%S  ") + top_view.server(sample.server))
            records = list(sample.tubes.values())
            console.line(top_view.tubes(records, trends, console.width).plain())
            console.line("")
        console.flush()

    def away(self, error: BrokerError) -> None:
        """Say that the broker is away, once."""
        if not self._is_away:
            self._console.note(f"Waiting for the broker: {error}")
            self._is_away = True
