"""The loop of `top`: take a sample, show it, wait."""

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from jobqueue.admin.screen.console import Console, find_rich
from jobqueue.admin.screen.table import Cell, Table
from jobqueue.admin.top import view
from jobqueue.admin.top.keyboard import sleep, waiting
from jobqueue.broker.address import Address
from jobqueue.broker.operating import OperatorConnection
from jobqueue.errors import BrokerError
from jobqueue.operating.rates import RateHistory, Sample


class Sampler:
    """Takes samples, and reconnects after a lost connection."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: OperatorConnection | None = None

    def sample(self) -> Sample:
        """Return the broker's counts now. Raises ``BrokerError``."""
        connection = self._connection
        if connection is None or not connection.is_open:
            connection = self._connection = OperatorConnection(self._address)
        return Sample.take(connection)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


def run(address: Address, console: Console, interval: float) -> None:
    """Show the broker's counts until a key or a signal ends it.

    Raises ``BrokerError`` if the broker can't be reached at the start; later, waits for
    it.
    """
    sampler = Sampler(address)
    first = sampler.sample()
    rich = find_rich() if console.is_terminal and not console.as_json else None
    with ExitStack() as stack:
        stack.callback(sampler.close)
        if rich is None:
            _run(sampler, first, LineOutput(console), lambda: sleep(interval))
            return
        wait = stack.enter_context(waiting())
        draw = stack.enter_context(rich.screen())
        screen = LiveScreen(draw, view.titles(address, interval))
        _run(sampler, first, screen, lambda: wait(interval))


def _run(
    sampler: Sampler,
    sample: Sample,
    output: "LiveScreen | LineOutput",
    wait: Callable[[], bool],
) -> None:
    history = RateHistory()
    history.add(sample)
    output.show(sample, history)
    while not wait():
        try:
            sample = sampler.sample()
        except BrokerError as error:
            output.show_lost(error)
            continue
        history.add(sample)
        output.show(sample, history)


class LiveScreen:
    """Shows the latest sample on the whole terminal."""

    def __init__(
        self, draw: Callable[[list[Cell | Table]], None], titles: Sequence[str]
    ) -> None:
        self._draw = draw
        self._titles = titles
        self._parts: list[Cell | Table] = []

    def show(self, sample: Sample, history: RateHistory) -> None:
        """Show a sample."""
        size = shutil.get_terminal_size()
        self._parts = view.screen(sample, history, size, self._titles)
        self._draw(self._parts)

    def show_lost(self, error: BrokerError) -> None:
        """Show that the broker can't be reached, above its last counts."""
        message = Cell(f"Waiting for the broker: {error}", "bold red")
        self._draw([self._parts[0], message, *self._parts[2:]])


class LineOutput:
    """Prints the samples one below the other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_lost = False

    def show(self, sample: Sample, history: RateHistory) -> None:
        """Show a sample."""
        console = self._console
        if self._is_lost:
            console.note("The broker is back")
            self._is_lost = False
        if console.as_json:
            console.json(view.values(sample, history))
        else:
            at = time.strftime("%H:%M:%S  ")
            console.paragraph(at + view.server(sample.server))
            records = list(sample.tubes.values())
            console.line(
                view.tubes(records, history, console.width).plain(console.width)
            )
            console.line("")
        console.flush()

    def show_lost(self, error: BrokerError) -> None:
        """Say once that the broker can't be reached."""
        if not self._is_lost:
            self._console.note(f"Waiting for the broker: {error}")
            self._is_lost = True
