"""Two machines with a cable between them: network namespaces of Linux."""

import ctypes
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

_CLONE_NEWNET = 0x40000000  # of <sched.h>
_NETNS = Path("/run/netns")


class Machine:
    """A network namespace with an address of its own."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Have this thread, and the processes that it starts, be on this machine."""
        with Path("/proc/thread-self/ns/net").open("rb") as before:
            with (_NETNS / self.name).open("rb") as namespace:
                _enter(namespace.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def unplug(self) -> None:
        """Pull the cable: from now on, nothing arrives on either side."""
        _ip("-n", self.name, "link", "set", "cable", "down")

    def set_tcp(self, **settings: int) -> None:
        """Change settings of TCP, as ``retries2=8`` for net.ipv4.tcp_retries2."""
        with self.entered():
            folder = Path("/proc/sys/net/ipv4")  # of this thread's namespace
            for name, value in settings.items():
                (folder / f"tcp_{name}").write_text(str(value))


@contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Yield two machines; skip the test where they can't be made."""
    prefix = f"jq-{os.getpid()}-{threading.get_ident() % 10_000}"
    machines = [Machine(f"{prefix}-{n}", f"10.77.0.{n}") for n in (1, 2)]
    first, second = machines
    with ExitStack() as stack:
        try:
            for machine in machines:
                _ip("netns", "add", machine.name)
                stack.callback(_ip, "netns", "delete", machine.name)
            cable = ["link", "add", "cable", "type", "veth", "peer", "name", "cable"]
            _ip("-n", first.name, *cable, "netns", second.name)
            for machine in machines:
                address = f"{machine.address}/24"
                _ip("-n", machine.name, "address", "add", address, "dev", "cable")
                for device in ("lo", "cable"):
                    _ip("-n", machine.name, "link", "set", device, "up")
        except (OSError, subprocess.CalledProcessError) as error:
            why = getattr(error, "stderr", None) or error
            pytest.skip(f"network namespaces can't be made here: {why}".strip())
        yield first, second


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
