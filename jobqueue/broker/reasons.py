"""Why a broker can't be reached or does not answer, and what to do about it."""

import errno
import os
import socket
import stat
from typing import Protocol

import greenstalk

from jobqueue.broker.address import URL_VARIABLE, Address
from jobqueue.broker.replies import NO_ROOM

_SHOWN = 80  # bytes of an answer
_OTHERS = {  # what the first bytes of other servers look like
    b"HTTP/": "an HTTP server",
    b"<!DOCTYPE": "an HTTP server",
    b"<html": "an HTTP server",
    b"-ERR": "a Redis server",
    b"-NOAUTH": "a Redis server",
    b"-DENIED": "a Redis server",
    b"SSH-": "an SSH server",
    b"AMQP": "an AMQP server, such as RabbitMQ",
    b"\x15\x03": "a server that speaks TLS",
    b"ERROR\r\n": "a memcached server",
    b"220": "a mail or FTP server",
}
_CHECK_URL = f"check the broker's URL ({URL_VARIABLE}, or --url)"
_NO_WAY = f"there is no way to that machine: check the network, and {_CHECK_URL}"
_NO_FILES = "this process is at a limit of open files: see ulimit -n"
_IS_IT_RUNNING = "is it running there?"
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_ADVICE = {
    errno.ENETUNREACH: _NO_WAY,
    errno.EHOSTUNREACH: _NO_WAY,
    errno.ENETDOWN: _NO_WAY,
    errno.EMFILE: _NO_FILES,
    errno.ENFILE: _NO_FILES,
    errno.EADDRNOTAVAIL: "this machine has no address or no port left for that",
    errno.EAFNOSUPPORT: f"this machine has no addresses of that kind: {_CHECK_URL}",
    errno.ENOENT: f"there is no such socket: is it running? Else {_CHECK_URL}",
    errno.ENOTDIR: f"there can be no such socket: {_CHECK_URL}",
    errno.EPROTOTYPE: f"it is a socket of another kind: {_CHECK_URL}",
}
_NO_LOOK_UP = "its host name could not be looked up: does the name server answer?"
_NO_NAME = {
    getattr(socket, name)
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if hasattr(socket, name)
}


class Received(Protocol):
    """What a connection has received."""

    @property
    def is_new(self) -> bool:
        """Whether nothing has been received so far."""
        ...

    def unread(self) -> bytes:
        """Return what has been received, but not read yet."""
        ...


def advice_for(address: Address, error: Exception) -> str:
    """Return what to look at when no connection could be made."""
    if isinstance(error, socket.gaierror):
        is_unknown = error.errno in _NO_NAME
        return f"there is no such host: {_CHECK_URL}" if is_unknown else _NO_LOOK_UP
    if isinstance(address.target, str):
        return _advice_on_socket_file(address.target, error)
    if not isinstance(error, OSError):
        return f"it can't be a host: {_CHECK_URL}"
    if isinstance(error, TimeoutError):
        return (
            "nothing answers there. The machine may be off, a firewall may drop the "
            f"packets, or the address may be wrong: {_CHECK_URL}"
        )
    if error.errno in _FORBIDDEN:
        return "the system forbids it: check its firewall, and what confines this user"
    return _ADVICE.get(error.errno or 0, _IS_IT_RUNNING)


def meaning_of_silence(*, is_new: bool) -> str:
    """Return what it can mean that no reply came, on a new or an older connection."""
    if is_new:
        return (
            "it may be frozen or overloaded, at its limit of open files (each slot of "
            "a worker and each producer has a connection), or no beanstalkd"
        )
    return (
        "it may be frozen or overloaded, or something in between (a firewall, NAT, a "
        "tunnel) has dropped the connection"
    )


def reason_for(error: Exception, reader: Received) -> str:
    """Return why a connection was lost. ``reader`` has what came in before."""
    why = _no_beanstalkd(reader.unread()) or _reason(error)
    if reader.is_new and isinstance(error, ConnectionError):
        why += f" before any reply came. If that happens again, {_CHECK_URL}"
    return why


def words_of(error: Exception) -> str:
    """Return an error's own words, or else its name."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, TimeoutError):
        return str(error) or "timed out"
    return str(error) or type(error).__name__


def _advice_on_socket_file(path: str, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return (
            "its queue of new connections is full. It may be frozen, or at its limit "
            "of open files"
        )
    if not isinstance(error, OSError) or error.errno is None:
        return f"it can't be a path: {_CHECK_URL}"
    if not _is_socket(path):
        return f"that file is no socket: {_CHECK_URL}"
    if error.errno in _FORBIDDEN:
        return (
            "the user of this process may not use the socket: check the permissions "
            "of the file, and of the folders above it"
        )
    return _ADVICE.get(error.errno, _IS_IT_RUNNING)


def _is_socket(path: str) -> bool:
    """Return whether a file is a socket, or may be one."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)  # noqa: PTH116 - quick to import
    except OSError:
        return True


def _reason(error: Exception) -> str:
    if isinstance(error, greenstalk.OutOfMemoryError | greenstalk.InternalError):
        return (
            f"it {NO_ROOM}. A job that it could not settle is ready after its restart"
        )
    if isinstance(error, greenstalk.UnknownResponseError):
        answer = b" ".join([error.status, *error.values])
        return _no_beanstalkd(answer + b"\r\n") or (
            f"an answer that makes no sense here, {_shown(answer)}. If that is no "
            f"beanstalkd, {_CHECK_URL}"
        )
    if isinstance(error, greenstalk.Error):
        return f"an answer that makes no sense here, {type(error).__name__} {error}"
    if isinstance(error, ValueError | IndexError):
        return f"an answer that makes no sense here: {error}"
    if isinstance(error, MemoryError):
        return "this process has no memory for the reply"
    return words_of(error)


def _no_beanstalkd(answer: bytes) -> str:
    """Return which other server gives such an answer; empty for none that is known."""
    for start, server in _OTHERS.items():
        if answer.startswith(start):
            return f"it answered {_shown(answer)}, as {server} does: {_CHECK_URL}"
    return ""


def _shown(answer: bytes) -> str:
    return repr(answer[:_SHOWN])[1:]
