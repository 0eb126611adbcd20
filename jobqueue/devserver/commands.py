"""The commands of the protocol: each takes its arguments and returns the reply.

The rules, odd ones too, are those of beanstalkd 1.13: ``tests/devserver`` asks
beanstalkd and the development server the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jobqueue.devserver import parsing, replies, statistics
from jobqueue.devserver.broker import Broker
from jobqueue.devserver.parsing import BadFormatError, PutArguments
from jobqueue.devserver.records import Client, StoredJob


@dataclass(frozen=True, slots=True)
class BodyFollows:
    """Stands for the reply to a put until the job's body has come.

    ``job`` is None if the body is too big, and is to be skipped.
    """

    job: StoredJob | None
    size: int  # bytes


class Commands:
    """Executes the commands of one client."""

    def __init__(self, broker: Broker, client: Client) -> None:
        self._broker = broker
        self._client = client

    def execute(self, line: bytes) -> bytes | BodyFollows | None:
        """Execute a command line, and return the reply; None: close the connection.

        The reply to a reserve comes through the client, at once or later.
        """
        try:
            return self._execute(line)
        except BadFormatError:
            return replies.BAD_FORMAT

    def _execute(self, line: bytes) -> bytes | BodyFollows | None:
        name, space, rest = line.partition(b" ")
        if b"\0" in line:
            raise BadFormatError
        if space and (command := _WITH_ARGUMENTS.get(name)):
            return command(self, rest)
        if not space and (lone := _ALONE.get(name)):
            self._count(name.decode())
            return lone(self)
        return self._execute_prefix(line)

    def _execute_prefix(self, line: bytes) -> bytes | None:
        """Execute a line that only begins like a command.

        beanstalkd compares as many bytes as the command's name has, and checks
        afterwards what follows.
        """
        if line.startswith(b"quit"):
            return None
        if line.startswith(b"pause-tube"):
            return self.pause_tube(line.removeprefix(b"pause-tube"))
        if line.startswith(tuple(_ALONE)):
            raise BadFormatError
        return replies.UNKNOWN_COMMAND

    def put(self, rest: bytes) -> BodyFollows:
        """Announce a job; :meth:`put_body` takes its body."""
        given = PutArguments.parse(rest)
        self._count("put")
        if given.size > self._broker.max_job_size:
            return BodyFollows(None, given.size)
        if given.rest:
            raise BadFormatError
        job = self._broker.announce(
            self._client, given.priority, given.delay, given.ttr
        )
        return BodyFollows(job, given.size)

    def put_body(self, job: StoredJob, body: bytes) -> bytes:
        """Put an announced job. ``body`` includes the two bytes that should end it."""
        if not body.endswith(b"\r\n"):
            self._broker.forget(job)
            return replies.EXPECTED_CRLF
        if self._broker.is_draining:
            self._broker.forget(job)
            return replies.DRAINING
        self._broker.put(job, body[:-2])
        return b"INSERTED %d\r\n" % job.id

    def use(self, rest: bytes) -> bytes:
        """Put into another tube from now on."""
        name = parsing.tube_name(rest)
        self._count("use")
        self._broker.use(self._client, name)
        return self.list_tube_used()

    def watch(self, rest: bytes) -> bytes:
        """Reserve from one more tube."""
        name = parsing.tube_name(rest)
        self._count("watch")
        self._broker.watch(self._client, name)
        return self._watching()

    def ignore(self, rest: bytes) -> bytes:
        """Reserve from one tube fewer."""
        name = parsing.tube_name(rest)
        self._count("ignore")
        if self._broker.ignore(self._client, name):
            return self._watching()
        return replies.NOT_IGNORED

    def reserve(self) -> bytes:
        """Wait for a job."""
        self._broker.reserve(self._client, None)
        return b""

    def reserve_with_timeout(self, rest: bytes) -> bytes:
        """Wait for a job for some seconds."""
        timeout = parsing.timeout(rest)
        self._count("reserve-with-timeout")
        self._broker.reserve(self._client, timeout)
        return b""

    def reserve_job(self, rest: bytes) -> bytes:
        """Reserve one job by its id."""
        job = self._broker.reserve_job(self._client, parsing.job_id(rest))
        return replies.reserved(job) if job else replies.NOT_FOUND

    def delete(self, rest: bytes) -> bytes:
        """Delete a job."""
        job_id = parsing.job_id(rest)
        self._count("delete")
        return replies.done(b"DELETED", self._broker.delete(self._client, job_id))

    def release(self, rest: bytes) -> bytes:
        """Make a reserved job ready again, or delayed."""
        job_id, priority, delay = parsing.id_priority_and_delay(rest)
        self._count("release")
        released = self._broker.release(self._client, job_id, priority, delay)
        return replies.done(b"RELEASED", released)

    def bury(self, rest: bytes) -> bytes:
        """Bury a reserved job."""
        job_id, priority = parsing.id_and_priority(rest)
        self._count("bury")
        buried = self._broker.bury(self._client, job_id, priority)
        return replies.done(b"BURIED", buried)

    def touch(self, rest: bytes) -> bytes:
        """Start a reserved job's time to run again."""
        job_id = parsing.job_id(rest)
        self._count("touch")
        return replies.done(b"TOUCHED", self._broker.touch(self._client, job_id))

    def kick(self, rest: bytes) -> bytes:
        """Kick some jobs of the used tube."""
        bound = parsing.bound(rest)
        self._count("kick")
        return b"KICKED %d\r\n" % self._broker.kick(self._client.uses, bound)

    def kick_job(self, rest: bytes) -> bytes:
        """Kick one job by its id."""
        job_id = parsing.job_id(rest)
        return replies.done(b"KICKED", self._broker.kick_job(job_id))

    def peek(self, rest: bytes) -> bytes:
        """Show a job by its id."""
        job_id = parsing.job_id(rest)
        self._count("peek")
        return replies.found(self._broker.find_job(job_id))

    def peek_ready(self) -> bytes:
        """Show the next ready job of the used tube."""
        return replies.found(self._client.uses.ready.first())

    def peek_delayed(self) -> bytes:
        """Show the delayed job of the used tube that is ready next."""
        return replies.found(self._client.uses.delayed.first())

    def peek_buried(self) -> bytes:
        """Show the job of the used tube that was buried first."""
        return replies.found(next(iter(self._client.uses.buried), None))

    def stats(self) -> bytes:
        """Show the counts of the server."""
        return replies.chunk(statistics.of_server(self._broker))

    def stats_job(self, rest: bytes) -> bytes:
        """Show the counts of a job."""
        job_id = parsing.job_id(rest)
        self._count("stats-job")
        job = self._broker.find_job(job_id)
        if not job:
            return replies.NOT_FOUND
        return replies.chunk(statistics.of_job(job, self._broker.clock()))

    def stats_tube(self, rest: bytes) -> bytes:
        """Show the counts of a tube."""
        name = parsing.tube_name(rest)
        self._count("stats-tube")
        tube = self._broker.tubes.find(name)
        if not tube:
            return replies.NOT_FOUND
        return replies.chunk(statistics.of_tube(tube, self._broker.clock()))

    def list_tubes(self) -> bytes:
        """List all tubes."""
        return replies.chunk(statistics.names(self._broker.tubes))

    def list_tube_used(self) -> bytes:
        """Name the tube that jobs are put into."""
        return b"USING %b\r\n" % self._client.uses.name.encode()

    def list_tubes_watched(self) -> bytes:
        """List the tubes that jobs are reserved from."""
        return replies.chunk(statistics.names(self._client.watches))

    def pause_tube(self, rest: bytes) -> bytes:
        """Hand out no jobs of a tube for some seconds."""
        name, seconds = parsing.pause(rest)
        self._count("pause-tube")
        tube = self._broker.tubes.find(parsing.tube_name(name))
        if tube:
            self._broker.pause(tube, seconds)
        return replies.done(b"PAUSED", tube)

    def quit(self) -> None:
        """Return None, which closes the connection."""

    def _count(self, command: str) -> None:
        self._broker.commands[command] += 1

    def _watching(self) -> bytes:
        return b"WATCHING %d\r\n" % len(self._client.watches)


_WITH_ARGUMENTS: dict[bytes, Callable[[Commands, bytes], bytes | BodyFollows]] = {
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
