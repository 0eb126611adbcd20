"""What a command line asks for, and the words of the answer.

The rules, odd ones too, are those of beanstalkd 1.12: ``tests/test_conformance.py``
asks both servers the same.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from jobqueue.devserver import statistics
from jobqueue.devserver.broker import Broker, Client, Job, NoJob, State

_MAX_NAME = 200  # bytes
_MAX_U32 = 2**32 - 1
_MAX_U64 = 2**64 - 1

_NUMBER = re.compile(rb" *(\d+)")
_TWO_NUMBERS = re.compile(rb" *(\d+) +(\d+)")
_THREE_NUMBERS = re.compile(rb" *(\d+) +(\d+) +(\d+)")
_PUT = re.compile(rb" *(\d+) +(\d+) +(\d+) +(\d+)(.*)", re.DOTALL)
_NAME = re.compile(rb"[A-Za-z0-9+/;.$_()][A-Za-z0-9+/;.$_()-]*")
_PAUSE = re.compile(rb" *([A-Za-z0-9+/;.$_()-]+) +(\d+)")
_SIGNED = re.compile(rb"[ \t\n\v\f\r]*([+-]?\d+)")  # as C's strtol reads it

_NOT_FOUND = b"NOT_FOUND\r\n"


@dataclass(frozen=True, slots=True)
class Body:
    """Says that a body follows: of a job, or of one that is too big to be taken."""

    job: Job | None
    size: int  # bytes


class _BadFormatError(Exception):
    """The command is to be answered BAD_FORMAT."""


def reserved(result: Job | NoJob) -> bytes:
    """Return the answer to a reserve."""
    return _job("RESERVED", result) if isinstance(result, Job) else result.value


class Commands:
    """Executes the commands of one client."""

    def __init__(self, broker: Broker, client: Client) -> None:
        self._broker = broker
        self._client = client

    def execute(self, line: bytes) -> bytes | Body | None:
        """Execute a command line, and return the reply; None: hang up.

        The answer to a reserve comes through the client, at once or later.
        """
        try:
            return self._execute(line)
        except _BadFormatError:
            return b"BAD_FORMAT\r\n"

    def _execute(self, line: bytes) -> bytes | Body | None:
        name, space, rest = line.partition(b" ")
        if b"\0" in line:
            raise _BadFormatError
        if space and (command := _WITH_ARGUMENTS.get(name)):
            return command(self, rest)
        if not space and (lone := _ALONE.get(name)):
            self._count(name.decode())
            return lone(self)
        return self._execute_odd(line)

    def _execute_odd(self, line: bytes) -> bytes | None:
        """Execute what only begins like a command.

        beanstalkd compares as many bytes as the name has, and then looks what follows.
        """
        if line.startswith(b"quit"):
            return None
        if line.startswith(b"pause-tube"):
            return self.pause_tube(line.removeprefix(b"pause-tube"))
        if line.startswith(tuple(_ALONE)):
            raise _BadFormatError
        return b"UNKNOWN_COMMAND\r\n"

    def put(self, rest: bytes) -> Body:
        """Announce a job; :meth:`put_body` ends it."""
        found = _PUT.fullmatch(rest)
        if not found:
            raise _BadFormatError
        priority, delay, ttr, size = map(int, found.groups()[:4])
        if max(priority, delay, ttr, size) > _MAX_U32:
            raise _BadFormatError
        self._count("put")
        if size > self._broker.max_job_size:
            return Body(None, size)
        if found[5]:
            raise _BadFormatError
        job = self._broker.announce(self._client, priority, delay, ttr)
        return Body(job, size)

    def put_body(self, job: Job, body: bytes) -> bytes:
        """Put an announced job. Its body has the line's end, or should have."""
        if body.endswith(b"\r\n") and not self._broker.is_draining:
            self._broker.put(job, body[:-2])
            return b"INSERTED %d\r\n" % job.id
        self._broker.forget(job)
        return b"DRAINING\r\n" if body.endswith(b"\r\n") else b"EXPECTED_CRLF\r\n"

    def use(self, rest: bytes) -> bytes:
        """Put into another tube from now on."""
        name = _tube_name(rest)
        self._count("use")
        self._broker.use(self._client, name)
        return self.list_tube_used()

    def watch(self, rest: bytes) -> bytes:
        """Reserve from one more tube."""
        name = _tube_name(rest)
        self._count("watch")
        self._broker.watch(self._client, name)
        return self._watching()

    def ignore(self, rest: bytes) -> bytes:
        """Reserve from one tube fewer."""
        name = _tube_name(rest)
        self._count("ignore")
        if self._broker.ignore(self._client, name):
            return self._watching()
        return b"NOT_IGNORED\r\n"

    def reserve(self) -> bytes:
        """Wait for a job."""
        self._broker.reserve(self._client, None)
        return b""

    def reserve_with_timeout(self, rest: bytes) -> bytes:
        """Wait for a job for some seconds.

        What is no number is 0; what is negative, as an ``int`` of 32 bits, is for ever.
        """
        found = _SIGNED.match(rest)
        timeout = int(found[1]) if found else 0
        if not -(2**63) <= timeout < 2**63:
            raise _BadFormatError
        timeout = (timeout + 2**31) % 2**32 - 2**31
        self._count("reserve-with-timeout")
        self._broker.reserve(self._client, timeout if timeout >= 0 else None)
        return b""

    def reserve_job(self, rest: bytes) -> bytes:
        """Reserve one job by its id."""
        job = self._broker.reserve_job(self._client, _job_id(rest))
        return _job("RESERVED", job) if job else _NOT_FOUND

    def delete(self, rest: bytes) -> bytes:
        """Delete a job."""
        job_id = _job_id(rest)
        self._count("delete")
        return _done(b"DELETED", self._broker.delete(self._client, job_id))

    def release(self, rest: bytes) -> bytes:
        """Put a reserved job back."""
        job_id, priority, delay = _numbers(_THREE_NUMBERS, rest)
        self._count("release")
        released = self._broker.release(self._client, job_id, priority, delay)
        return _done(b"RELEASED", released)

    def bury(self, rest: bytes) -> bytes:
        """Put a reserved job aside."""
        job_id, priority = _numbers(_TWO_NUMBERS, rest)
        self._count("bury")
        return _done(b"BURIED", self._broker.bury(self._client, job_id, priority))

    def touch(self, rest: bytes) -> bytes:
        """Start a reserved job's time to run anew."""
        job_id = _job_id(rest)
        self._count("touch")
        return _done(b"TOUCHED", self._broker.touch(self._client, job_id))

    def kick(self, rest: bytes) -> bytes:
        """Kick some jobs. The bound is cut to 32 bits, so that -1 is nearly all."""
        found = _SIGNED.match(rest)
        if not found or abs(int(found[1])) > _MAX_U64:
            raise _BadFormatError
        self._count("kick")
        bound = int(found[1]) & _MAX_U32
        return b"KICKED %d\r\n" % self._broker.kick(self._client.uses, bound)

    def kick_job(self, rest: bytes) -> bytes:
        """Kick one job by its id."""
        return _done(b"KICKED", self._broker.kick_job(_job_id(rest)))

    def peek(self, rest: bytes) -> bytes:
        """Show a job by its id."""
        job_id = _job_id(rest)
        self._count("peek")
        return _found(self._broker.find_job(job_id))

    def peek_ready(self) -> bytes:
        """Show the next ready job of the used tube."""
        return _found(self._client.uses.ready.first())

    def peek_delayed(self) -> bytes:
        """Show the delayed job of the used tube that is ready next."""
        return _found(self._client.uses.delayed.first())

    def peek_buried(self) -> bytes:
        """Show the job of the used tube that was buried first."""
        return _found(next(iter(self._client.uses.buried), None))

    def stats(self) -> bytes:
        """Show what is counted of the server."""
        return _chunk(statistics.of_server(self._broker))

    def stats_job(self, rest: bytes) -> bytes:
        """Show what is counted of a job."""
        job_id = _job_id(rest)
        self._count("stats-job")
        job = self._broker.find_job(job_id)
        if not job:
            return _NOT_FOUND
        return _chunk(statistics.of_job(job, self._broker.clock()))

    def stats_tube(self, rest: bytes) -> bytes:
        """Show what is counted of a tube."""
        name = _tube_name(rest)
        self._count("stats-tube")
        tube = self._broker.find_tube(name)
        if not tube:
            return _NOT_FOUND
        return _chunk(statistics.of_tube(tube, self._broker.clock()))

    def list_tubes(self) -> bytes:
        """List all tubes."""
        return _chunk(statistics.names(self._broker.tubes))

    def list_tube_used(self) -> bytes:
        """Name the tube that is put into."""
        return b"USING %b\r\n" % self._client.uses.name.encode()

    def list_tubes_watched(self) -> bytes:
        """List the tubes that are reserved from."""
        return _chunk(statistics.names(self._client.watches))

    def pause_tube(self, rest: bytes) -> bytes:
        """Hand out no jobs of a tube for some seconds."""
        found = _PAUSE.fullmatch(rest)
        if not found or int(found[2]) > _MAX_U32:
            raise _BadFormatError
        self._count("pause-tube")
        tube = self._broker.find_tube(_tube_name(found[1]))
        if tube:
            self._broker.pause(tube, int(found[2]))
        return _done(b"PAUSED", tube)

    def quit(self) -> None:
        """Hang up."""

    def _count(self, command: str) -> None:
        self._broker.commands[command] += 1

    def _watching(self) -> bytes:
        return b"WATCHING %d\r\n" % len(self._client.watches)


_WITH_ARGUMENTS: dict[bytes, Callable[[Commands, bytes], bytes | Body]] = {
    b"bury": Commands.bury,
    b"delete": Commands.delete,
    b"ignore": Commands.ignore,
    b"kick": Commands.kick,
    b"kick-job": Commands.kick_job,
    b"pause-tube": Commands.pause_tube,
    b"peek": Commands.peek,
    b"put": Commands.put,
    b"release": Commands.release,
    b"reserve-job": Commands.reserve_job,
    b"reserve-with-timeout": Commands.reserve_with_timeout,
    b"stats-job": Commands.stats_job,
    b"stats-tube": Commands.stats_tube,
    b"touch": Commands.touch,
    b"use": Commands.use,
    b"watch": Commands.watch,
}

_ALONE: dict[bytes, Callable[[Commands], bytes | None]] = {
    b"list-tube-used": Commands.list_tube_used,
    b"list-tubes": Commands.list_tubes,
    b"list-tubes-watched": Commands.list_tubes_watched,
    b"peek-buried": Commands.peek_buried,
    b"peek-delayed": Commands.peek_delayed,
    b"peek-ready": Commands.peek_ready,
    b"quit": Commands.quit,
    b"reserve": Commands.reserve,
    b"stats": Commands.stats,
}


def _tube_name(text: bytes) -> str:
    if len(text) > _MAX_NAME or not _NAME.fullmatch(text):
        raise _BadFormatError
    return text.decode()


def _job_id(text: bytes) -> int:
    """Return a command's only number."""
    found = _NUMBER.fullmatch(text)
    if not found or (job_id := int(found[1])) > _MAX_U64:
        raise _BadFormatError
    return job_id


def _numbers(pattern: re.Pattern[bytes], text: bytes) -> list[int]:
    """Return a command's numbers: a job's id, and others, which have 32 bits."""
    found = pattern.fullmatch(text)
    if not found:
        raise _BadFormatError
    job_id, *others = map(int, found.groups())
    if job_id > _MAX_U64 or max(others) > _MAX_U32:
        raise _BadFormatError
    return [job_id, *others]


def _done(word: bytes, it_was: object) -> bytes:
    return word + b"\r\n" if it_was else _NOT_FOUND


def _found(job: Job | None) -> bytes:
    if job is None or job.state is State.INVALID:
        return _NOT_FOUND
    return _job("FOUND", job)


def _job(word: str, job: Job) -> bytes:
    line = f"{word} {job.id} {len(job.body)}\r\n".encode()
    return line + job.body + b"\r\n"


def _chunk(data: bytes) -> bytes:
    return b"OK %d\r\n%b\r\n" % (len(data), data)
