"""The part of beanstalkd that keeps jobs, in memory: no bytes, no sockets, no clock.

Times are whole nanoseconds of the clock that the broker is given.
"""

import os
from collections import Counter
from collections.abc import Callable

from jobqueue.devserver.dispatcher import Dispatcher
from jobqueue.devserver.ordering import Rotation
from jobqueue.devserver.records import (
    MAX_JOB_SIZE,
    SECOND,
    Client,
    NoJob,
    StoredJob,
    StoredJobState,
    Tube,
)
from jobqueue.devserver.tubes import Tubes

_DEFAULT_TUBE = "default"


class Broker:
    """All tubes, jobs and clients, and a method for each command that changes them."""

    def __init__(
        self, clock: Callable[[], int], max_job_size: int = MAX_JOB_SIZE
    ) -> None:
        self.clock = clock
        self.max_job_size = max_job_size
        self.is_draining = False
        self.started_at = clock()
        self.id = os.urandom(8).hex()
        self.commands: Counter[str] = Counter()
        self.total_jobs = 0
        self.total_clients = 0
        self.clients: dict[Client, None] = {}
        self.tubes = Tubes()
        self._dispatcher = Dispatcher(clock)
        self._jobs: dict[int, StoredJob] = {}
        self._last_job_id = 0
        self._default = self.tubes.add_reference(_DEFAULT_TUBE)

    @property
    def timeouts(self) -> int:
        """How many jobs were taken back as their time to run was over."""
        return self._dispatcher.timeouts

    def connect(self, answer: Callable[[StoredJob | NoJob], None]) -> Client:
        """Add a client, which uses and watches the default tube."""
        self.total_clients += 1
        client = Client(self.total_clients, answer, uses=self._default)
        self.clients[client] = None
        self.watch(client, _DEFAULT_TUBE)
        self.tubes.add_reference(_DEFAULT_TUBE).using += 1
        return client

    def disconnect(self, client: Client) -> None:
        """Remove a client; the jobs that it had reserved are ready again."""
        if client not in self.clients:
            return
        del self.clients[client]
        self._dispatcher.stop_waiting(client)
        for job in list(client.reserved):
            self._dispatcher.take_out(job)
            self._dispatcher.make_ready(job)
        self._dispatcher.forget_client(client)
        for tube in _in_order_of_clearing(client.watches):
            self._stop_watching(client, tube)
        client.uses.using -= 1
        self._drop_reference(client.uses)

    def find_job(self, job_id: int) -> StoredJob | None:
        """Return a job by its id; None if there is no such job."""
        return self._jobs.get(job_id)

    def use(self, client: Client, name: str) -> None:
        """Have a client put into another tube."""
        tube = self.tubes.add_reference(name)
        client.uses.using -= 1
        self._drop_reference(client.uses)
        client.uses = tube
        tube.using += 1

    def watch(self, client: Client, name: str) -> None:
        """Have a client reserve from one more tube."""
        tube = self.tubes.find(name)
        if tube is None or tube not in client.watches:
            tube = self.tubes.add_reference(name)
            tube.watching += 1
            client.watches.append(tube)

    def ignore(self, client: Client, name: str) -> bool:
        """Have a client reserve from one tube fewer; False if it is its only one."""
        tube = self.tubes.find(name)
        if tube is not None and tube in client.watches:
            if len(client.watches) == 1:
                return False
            self._stop_watching(client, tube)
        return True

    def announce(
        self, client: Client, priority: int, delay: int, ttr: int
    ) -> StoredJob:
        """Make a job whose body is yet to come. Its id is never given again."""
        client.is_producer = True
        self._last_job_id += 1
        job = StoredJob(
            id=self._last_job_id,
            tube=client.uses,
            priority=priority,
            delay=delay * SECOND,
            ttr=max(ttr, 1) * SECOND,
            created_at=self.clock(),
        )
        job.tube.references += 1
        self._jobs[job.id] = job
        return job

    def forget(self, job: StoredJob) -> None:
        """Drop a job that is in no queue."""
        job.state = StoredJobState.INVALID
        job.body = b""  # a queue may still refer to the job: see ordering.Queue
        del self._jobs[job.id]
        self._drop_reference(job.tube)

    def put(self, job: StoredJob, body: bytes) -> None:
        """Enqueue an announced job, whose body has come."""
        job.body = body
        self.total_jobs += 1
        job.tube.total_jobs += 1
        self._dispatcher.enqueue(job)

    def reserve(self, client: Client, timeout: int | None) -> None:
        """Give a client the next job of its tubes, as soon as there is one.

        ``timeout`` is how many seconds the client waits; None: without a limit.
        """
        client.is_worker = True
        self._dispatcher.wait(client, timeout)

    def reserve_job(self, client: Client, job_id: int) -> StoredJob | None:
        """Give a client this job, unless it is reserved; None if it can't have it."""
        job = self._jobs.get(job_id)
        if job is None or job.state in (
            StoredJobState.RESERVED,
            StoredJobState.INVALID,
        ):
            return None
        client.is_worker = True
        self._dispatcher.take_out(job)
        self._dispatcher.hand_over(job, client)
        return job

    def half_close(self, client: Client) -> None:
        """Note that a client will send no more, and end its waiting for a job."""
        client.is_half_closed = True
        if client.is_waiting:
            self._dispatcher.send_away(client, NoJob.TIMED_OUT)

    def delete(self, client: Client, job_id: int) -> bool:
        """Delete a job, unless another client has it reserved."""
        job = self._jobs.get(job_id)
        if (
            job is None
            or job.state is StoredJobState.INVALID
            or job.holder not in (None, client)
        ):
            return False
        self._dispatcher.take_out(job)
        job.tube.deletes += 1
        self.forget(job)
        return True

    def release(self, client: Client, job_id: int, priority: int, delay: int) -> bool:
        """Make a job that the client has reserved ready again, or delayed."""
        job = self._held(client, job_id)
        if job is None:
            return False
        self._dispatcher.take_out(job)
        job.priority = priority
        job.delay = delay * SECOND
        job.releases += 1
        self._dispatcher.enqueue(job)
        return True

    def bury(self, client: Client, job_id: int, priority: int) -> bool:
        """Bury a job that the client has reserved."""
        job = self._held(client, job_id)
        if job is None:
            return False
        self._dispatcher.take_out(job)
        job.priority = priority
        job.buries += 1
        job.state = StoredJobState.BURIED
        job.tube.buried[job] = None
        return True

    def touch(self, client: Client, job_id: int) -> bool:
        """Start the time to run again of a job that the client has reserved."""
        job = self._held(client, job_id)
        if job is None:
            return False
        self._dispatcher.touch(job, client)
        return True

    def kick(self, tube: Tube, bound: int) -> int:
        """Make up to ``bound`` buried jobs ready; delayed ones, if none is buried."""
        next_job = tube.delayed.first
        if tube.buried:
            next_job = lambda: next(iter(tube.buried), None)  # noqa: E731
        kicked = 0
        while kicked < bound and (job := next_job()):
            self._kick(job)
            kicked += 1
        return kicked

    def kick_job(self, job_id: int) -> bool:
        """Make a job ready that is buried or delayed."""
        job = self._jobs.get(job_id)
        if job is None or job.state not in (
            StoredJobState.BURIED,
            StoredJobState.DELAYED,
        ):
            return False
        self._kick(job)
        return True

    def pause(self, tube: Tube, seconds: int) -> None:
        """Hand out no jobs of a tube for a while."""
        tube.pauses += 1
        self._dispatcher.pause(tube, seconds)

    def tick(self) -> None:
        """Do everything that is due now."""
        self._dispatcher.tick()

    def next_tick(self) -> int | None:
        """Return when something will be due; None if nothing ever will."""
        return self._dispatcher.next_tick()

    def _held(self, client: Client, job_id: int) -> StoredJob | None:
        job = self._jobs.get(job_id)
        return job if job and job.holder is client else None

    def _kick(self, job: StoredJob) -> None:
        self._dispatcher.take_out(job)
        job.kicks += 1
        self._dispatcher.make_ready(job)

    def _stop_watching(self, client: Client, tube: Tube) -> None:
        client.watches.discard(tube)
        tube.watching -= 1
        self._drop_reference(tube)

    def _drop_reference(self, tube: Tube) -> None:
        if self.tubes.drop_reference(tube):
            self._dispatcher.forget_tube(tube)


def _in_order_of_clearing(watches: Rotation[Tube]) -> list[Tube]:
    """Return the tubes in the order in which beanstalkd drops them.

    It removes the first tube until none is left, and the last one takes its place.
    """
    first, *others = watches
    return [first, *reversed(others)]
