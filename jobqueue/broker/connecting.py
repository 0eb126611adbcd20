"""Connecting to a broker: its addresses, one after the other, within one deadline."""

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from jobqueue.broker.address import Address
from jobqueue.broker.waiting import wait_for
from jobqueue.broker.wire import BrokerSocket

_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 15,  # seconds of silence before the first probe
    "TCP_KEEPINTVL": 5,  # seconds between probes
    "TCP_KEEPCNT": 3,  # probes without an answer
}
_QUEUE_PAUSE = 0.02  # seconds between attempts, while a Unix socket's queue is full


class _Target(NamedTuple):
    """One of the broker's addresses, as the system takes it."""

    family: int
    address: Any


def connect(address: Address) -> BrokerSocket:
    """Return a connected socket. All of it has the time-out of the address.

    Raises ``OSError``, or ``ValueError`` for a host name that can't be one.
    """
    deadline = time.monotonic() + address.timeout
    targets = _targets(address, deadline)
    while True:
        # An address that does not answer leaves the others their share of the time.
        share = (deadline - time.monotonic()) / len(targets)
        try:
            return _connect_to(targets.pop(0), max(0.0, share), address.timeout)
        except OSError:
            if not targets:
                raise


def _targets(address: Address, deadline: float) -> list[_Target]:
    """Return the addresses of the broker; at least one."""
    if isinstance(address.target, str):
        return [_Target(socket.AF_UNIX, address.target)]
    host, port = address.target
    # As bytes, which work as well: for a str, Python imports all of IDNA.
    name: Any = host.encode() if host.isascii() else host
    try:
        return _look_up(name, port, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return _look_up_in_time(name, port, deadline)


def _look_up(name: Any, port: int, flags: int = 0) -> list[_Target]:  # noqa: ANN401
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
    return [_Target(family, target) for family, _, _, _, target in found]


def _look_up_in_time(name: Any, port: int, deadline: float) -> list[_Target]:  # noqa: ANN401
    """Look up a host name. Raises ``TimeoutError`` at the deadline.

    Nothing can interrupt the system's own look-up, which may take half a minute: it has
    a thread, which goes on alone.
    """
    import threading  # noqa: PLC0415 - an address of numbers needs no look-up

    results: list[list[_Target] | Exception] = []

    def look_up() -> None:
        try:
            results.append(_look_up(name, port))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            results.append(error)

    thread = threading.Thread(target=look_up, name="jobqueue-look-up", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # at the end of the process, and at its limit of threads
        look_up()
    else:
        thread.join(max(0.0, deadline - time.monotonic()))
    if not results:
        raise TimeoutError("looking its host name up took too long")
    if isinstance(results[0], Exception):
        raise results[0]
    return results[0]


def _connect_to(target: _Target, seconds: float, usual_timeout: float) -> BrokerSocket:
    """Connect to one address within some seconds."""
    sock = BrokerSocket(target.family, usual_timeout)
    with _closed_on_error(sock):
        if target.family == getattr(socket, "AF_UNIX", None):
            _connect_unix(sock, target, seconds)
        else:
            _connect_tcp(sock, target, seconds)
        sock.connected()
    return sock


def _connect_unix(sock: BrokerSocket, target: _Target, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return sock.connect(target.address)
        except BlockingIOError:  # the broker does not accept: its queue is full
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            time.sleep(_QUEUE_PAUSE)


def _connect_tcp(sock: BrokerSocket, target: _Target, seconds: float) -> None:
    # No packet of a command waits for the ACK of the packet before it.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _keep_alive(sock)
    code = sock.connect_ex(target.address)
    if code in {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR}:
        if not wait_for(sock, seconds, write=True)[1]:
            raise TimeoutError
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _keep_alive(sock: BrokerSocket) -> None:
    """Let the system probe an idle connection.

    The probes find out that the other machine is gone, and keep routers and firewalls
    in between from forgetting the connection.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):  # else the system's default stays, often two hours
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextmanager
def _closed_on_error(sock: BrokerSocket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise
