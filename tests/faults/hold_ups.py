"""Times in which the machine held up a process, or the broker and the proxies.

A touch may come too late then, so that a job's time to run ends, and it runs again.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .books import Processes
from .ledger import Ledger

LOOK = 0.1  # seconds between two looks
LEAST = 0.1  # seconds: shorter hold-ups are not noted
PATIENCE = 20.0  # seconds: a broker that takes longer for a reply is away


def watch_process(ledger: Ledger, pids: Processes, closed: threading.Event) -> None:
    """Note each time that this process wanted to run, and did not.

    ``pids`` are the processes that have to wait for this one. The time in which other
    threads of this process ran is left out: if they keep the heartbeat from its work,
    that is no fault of the machine.
    """
    looked_at, ran = time.monotonic(), time.process_time()
    while not closed.wait(LOOK):
        now, ran_now = time.monotonic(), time.process_time()
        late = now - looked_at - LOOK - (ran_now - ran)
        if late > LEAST:
            ledger.held_up(pids, now - late, now)
        looked_at, ran = now, ran_now


def watch_worker(ledger: Ledger) -> None:
    """Watch this process until its end."""
    arguments = ledger, frozenset({os.getpid()}), threading.Event()
    threading.Thread(target=watch_process, args=arguments, daemon=True).start()


@contextmanager
def watching(ledger: Ledger, proxy: Path) -> Iterator[None]:
    """Watch this process, which has the proxies, and the broker.

    ``proxy`` is the socket of a proxy to the broker that no fault harms.
    """
    closed = threading.Event()
    watches: list[Callable[[], None]] = [
        lambda: watch_process(ledger, None, closed),
        lambda: _watch_broker(ledger, proxy, closed),
    ]
    with ExitStack() as stack:
        for watch in watches:
            thread = threading.Thread(target=watch)
            thread.start()
            stack.callback(thread.join)
        stack.callback(closed.set)
        yield


def _watch_broker(ledger: Ledger, proxy: Path, closed: threading.Event) -> None:
    """Note each time that the broker, or the way to it, took long for a reply."""
    while not closed.is_set():
        # The broker is away now and then, which is noted as a fault.
        with suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(proxy))
            while not closed.wait(LOOK):
                asked_at = time.monotonic()
                sock.sendall(b"list-tube-used\r\n")
                if not sock.recv(64):
                    break
                now = time.monotonic()
                if now - asked_at > LEAST:
                    ledger.held_up(None, asked_at, now)
        closed.wait(LOOK)
