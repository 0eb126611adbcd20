"""What beanstalkd does with jobs, in memory: no bytes, no sockets, no clock of its own.

Times are whole nanoseconds of whatever clock it is given.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from jobqueue.devserver.ordering import Queue, Rotation

SECOND = 10**9  # nanoseconds
SAFETY_MARGIN = SECOND  # of a job's time to run
NEVER = 2**100  # beyond any time
URGENT = 1024  # priorities below are urgent
MAX_JOB_SIZE = 65535  # bytes
DEFAULT_TUBE = "default"


class State(Enum):
    """Where a job is. INVALID is one whose body has not come yet, or that is gone."""

    READY = "ready"
    RESERVED = "reserved"
    DELAYED = "delayed"
    BURIED = "buried"
    INVALID = "invalid"


class NoJob(Enum):
    """Why a client that waited for a job got none; the values are the answers."""

    TIMED_OUT = b"TIMED_OUT\r\n"
    DEADLINE_SOON = b"DEADLINE_SOON\r\n"


@dataclass(eq=False, slots=True)
class Job:
    """A job, and what the server counts of it."""

    id: int
    tube: "Tube"
    priority: int
    delay: int
    ttr: int
    created_at: int
    body: bytes = b""
    state: State = State.INVALID
    deadline: int = 0  # while reserved or delayed
    holder: "Client | None" = None  # while reserved
    reserves: int = 0
    timeouts: int = 0
    releases: int = 0
    buries: int = 0
    kicks: int = 0


@dataclass(eq=False, slots=True)
class Tube:
    """A tube, its jobs, and what the server counts of it."""

    name: str
    number: int
    ready: Queue[Job] = field(default_factory=Queue)
    delayed: Queue[Job] = field(default_factory=Queue)
    buried: dict[Job, None] = field(default_factory=dict)
    waiting: "Rotation[Client]" = field(default_factory=Rotation)
    references: int = 0  # jobs, and clients that use or watch it
    using: int = 0
    watching: int = 0
    urgent: int = 0
    reserved: int = 0
    total_jobs: int = 0
    deletes: int = 0
    pauses: int = 0
    pause: int = 0
    paused_until: int = 0


@dataclass(eq=False, slots=True)
class Client:
    """A connection's place at the broker.

    ``answer`` is called with what a reserve came to, at once or later.
    """

    number: int
    answer: Callable[[Job | NoJob], None]
    uses: Tube
    watches: Rotation[Tube] = field(default_factory=Rotation)
    reserved: Queue[Job] = field(default_factory=Queue)
    is_waiting: bool = False
    waits_until: int = NEVER
    alarm: int = NEVER
    is_half_closed: bool = False
    is_producer: bool = False
    is_worker: bool = False

    def holds_ready(self) -> bool:
        """Tell whether a watched tube has a ready job, paused or not."""
        return any(tube.ready for tube in self.watches)


class Broker:
    """All tubes, jobs and clients."""

    def __init__(
        self, clock: Callable[[], int], max_job_size: int = MAX_JOB_SIZE
    ) -> None:
        self.clock = clock
        self.max_job_size = max_job_size
        self.is_draining = False
        self.started_at = clock()
        self.id = os.urandom(8).hex()
        self.commands: Counter[str] = Counter()
        self.timeouts = 0
        self.total_jobs = 0
        self.total_clients = 0
        self.clients: dict[Client, None] = {}
        self.tubes: Rotation[Tube] = Rotation()
        self._jobs: dict[int, Job] = {}
        self._last_job_id = 0
        self._tube_of: dict[str, Tube] = {}
        self._last_tube_number = 0
        self._delayed: Queue[Job] = Queue()
        self._paused: Queue[Tube] = Queue()
        self._alarms: Queue[Client] = Queue()
        self._default = self._borrow(DEFAULT_TUBE)

    def connect(self, answer: Callable[[Job | NoJob], None]) -> Client:
        """Add a client, which uses and watches the default tube."""
        self.total_clients += 1
        client = Client(self.total_clients, answer, uses=self._default)
        self.clients[client] = None
        self.watch(client, DEFAULT_TUBE)
        self._borrow(DEFAULT_TUBE).using += 1
        return client

    def disconnect(self, client: Client) -> None:
        """Remove a client; what it had reserved is ready again."""
        if client not in self.clients:
            return
        del self.clients[client]
        self._stop_waiting(client)
        for job in list(client.reserved):
            self._take_out(job)
            self._make_ready(job)
        self._alarms.discard(client)
        for tube in _in_order_of_clearing(client.watches):
            self._stop_watching(client, tube)
        client.uses.using -= 1
        self._give_back(client.uses)

    def find_job(self, job_id: int) -> Job | None:
        """Return a job by its id."""
        return self._jobs.get(job_id)

    def find_tube(self, name: str) -> Tube | None:
        """Return a tube by its name."""
        return self._tube_of.get(name)

    def use(self, client: Client, name: str) -> None:
        """Have a client put into another tube."""
        tube = self._borrow(name)
        client.uses.using -= 1
        self._give_back(client.uses)
        client.uses = tube
        tube.using += 1

    def watch(self, client: Client, name: str) -> None:
        """Have a client reserve from one more tube."""
        tube = self._tube_of.get(name)
        if tube is None or tube not in client.watches:
            tube = self._borrow(name)
            tube.watching += 1
            client.watches.append(tube)

    def ignore(self, client: Client, name: str) -> bool:
        """Have a client reserve from one tube fewer; False if it is its only one."""
        tube = self._tube_of.get(name)
        if tube is not None and tube in client.watches:
            if len(client.watches) == 1:
                return False
            self._stop_watching(client, tube)
        return True

    def announce(self, client: Client, priority: int, delay: int, ttr: int) -> Job:
        """Make a job whose body is yet to come. Its id is never given again."""
        client.is_producer = True
        self._last_job_id += 1
        job = Job(
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

    def forget(self, job: Job) -> None:
        """Drop a job that is in no queue."""
        job.state = State.INVALID
        del self._jobs[job.id]
        self._give_back(job.tube)

    def put(self, job: Job, body: bytes) -> None:
        """Take an announced job in."""
        job.body = body
        self.total_jobs += 1
        job.tube.total_jobs += 1
        self._enqueue(job)

    def reserve(self, client: Client, timeout: int | None) -> None:
        """Give a client the next job of its tubes, when there is one.

        ``timeout`` is how many seconds it waits; None: as long as it takes.
        """
        client.is_worker = True
        if self._is_deadline_soon(client) and not client.holds_ready():
            client.answer(NoJob.DEADLINE_SOON)
            return
        client.is_waiting = True
        for tube in client.watches:
            tube.waiting.append(client)
        self._serve(client.watches)
        if not client.is_waiting:
            return
        if self._is_deadline_soon(client):
            self._send_away(client, NoJob.DEADLINE_SOON)
        elif timeout == 0 or client.is_half_closed:
            self._send_away(client, NoJob.TIMED_OUT)
        else:
            if timeout is not None:
                client.waits_until = self.clock() + timeout * SECOND
            self._set_alarm(client)

    def reserve_job(self, client: Client, job_id: int) -> Job | None:
        """Give a client this job, if nobody has it reserved."""
        job = self._jobs.get(job_id)
        if job is None or job.state in (State.RESERVED, State.INVALID):
            return None
        client.is_worker = True
        self._take_out(job)
        self._hand_over(job, client)
        return job

    def half_close(self, client: Client) -> None:
        """Note that a client will send no more: it waits no longer, either."""
        client.is_half_closed = True
        if client.is_waiting:
            self._send_away(client, NoJob.TIMED_OUT)

    def delete(self, client: Client, job_id: int) -> bool:
        """Delete a job, unless another client has it reserved."""
        job = self._jobs.get(job_id)
        if (
            job is None
            or job.state is State.INVALID
            or job.holder not in (None, client)
        ):
            return False
        self._take_out(job)
        job.tube.deletes += 1
        self.forget(job)
        return True

    def release(self, client: Client, job_id: int, priority: int, delay: int) -> bool:
        """Put a job back that the client has reserved."""
        job = self._held(client, job_id)
        if job is None:
            return False
        self._take_out(job)
        job.priority = priority
        job.delay = delay * SECOND
        job.releases += 1
        self._enqueue(job)
        return True

    def bury(self, client: Client, job_id: int, priority: int) -> bool:
        """Put a job aside that the client has reserved."""
        job = self._held(client, job_id)
        if job is None:
            return False
        self._take_out(job)
        job.priority = priority
        job.buries += 1
        job.state = State.BURIED
        job.tube.buried[job] = None
        return True

    def touch(self, client: Client, job_id: int) -> bool:
        """Start the time to run of a job anew that the client has reserved."""
        job = self._held(client, job_id)
        if job is None:
            return False
        job.deadline = self.clock() + job.ttr
        client.reserved.add(job, (job.deadline, job.id))
        self._set_alarm(client)
        return True

    def kick(self, tube: Tube, bound: int) -> int:
        """Make up to so many buried jobs ready; delayed ones, if none is buried."""
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
        if job is None or job.state not in (State.BURIED, State.DELAYED):
            return False
        self._kick(job)
        return True

    def pause(self, tube: Tube, seconds: int) -> None:
        """Hand out no jobs of a tube for a while."""
        tube.pauses += 1
        tube.pause = max(seconds * SECOND, 1)  # 0 ends a pause, but later
        tube.paused_until = self.clock() + tube.pause
        self._paused.add(tube, (tube.paused_until, tube.number))

    def tick(self) -> None:
        """Do all that is due now."""
        now = self.clock()
        while (job := self._delayed.first()) and job.deadline <= now:
            self._take_out(job)
            self._make_ready(job)
        while (tube := self._paused.first()) and tube.paused_until <= now:
            self._end_pause(tube)
            self._serve([tube])
        while (client := self._alarms.first()) and client.alarm <= now:
            self._ring(client, now)

    def next_tick(self) -> int | None:
        """Return when something will be due; None if nothing ever will."""
        queues = (self._delayed, self._paused, self._alarms)
        dues = (queue.first_key() for queue in queues)
        return min((due for due in dues if due is not None), default=None)

    def _ring(self, client: Client, now: int) -> None:
        """Send a client away that has waited enough, and take from it what is due."""
        if client.is_waiting and self._is_deadline_soon(client):
            self._send_away(client, NoJob.DEADLINE_SOON)
        while (job := client.reserved.first()) and job.deadline <= now:
            self._take_out(job)
            self.timeouts += 1
            job.timeouts += 1
            self._make_ready(job)
        if client.is_waiting and client.waits_until <= now:
            self._send_away(client, NoJob.TIMED_OUT)
        self._set_alarm(client)

    def _set_alarm(self, client: Client) -> None:
        job = client.reserved.first()
        alarm = job.deadline if job else NEVER
        if client.is_waiting:
            alarm = min(alarm - SAFETY_MARGIN, client.waits_until)
        client.alarm = alarm
        if alarm >= NEVER - SAFETY_MARGIN:
            self._alarms.discard(client)
        else:
            self._alarms.add(client, (alarm, client.number))

    def _is_deadline_soon(self, client: Client) -> bool:
        job = client.reserved.first()
        return job is not None and self.clock() >= job.deadline - SAFETY_MARGIN

    def _serve(self, tubes: "list[Tube] | Rotation[Tube]") -> None:
        """Hand ready jobs of these tubes to clients that wait."""
        while True:
            able = [t for t in tubes if t.waiting and t.ready and self._is_open(t)]
            jobs = [job for tube in able if (job := tube.ready.first())]
            if not jobs:
                return
            job = min(jobs, key=_ready_key)
            client = job.tube.waiting.take()
            self._stop_waiting(client)
            self._take_out(job)
            self._hand_over(job, client)
            client.answer(job)

    def _is_open(self, tube: Tube) -> bool:
        """Tell whether a tube is not paused, also if its pause ends just now."""
        if tube.pause and tube.paused_until <= self.clock():
            self._end_pause(tube)
        return not tube.pause

    def _end_pause(self, tube: Tube) -> None:
        tube.pause = 0
        self._paused.discard(tube)

    def _hand_over(self, job: Job, client: Client) -> None:
        job.state = State.RESERVED
        job.holder = client
        job.deadline = self.clock() + job.ttr
        job.reserves += 1
        job.tube.reserved += 1
        client.reserved.add(job, (job.deadline, job.id))
        self._set_alarm(client)

    def _stop_waiting(self, client: Client) -> None:
        client.is_waiting = False
        client.waits_until = NEVER
        for tube in client.watches:
            tube.waiting.discard(client)

    def _send_away(self, client: Client, why: NoJob) -> None:
        self._stop_waiting(client)
        self._set_alarm(client)
        client.answer(why)

    def _held(self, client: Client, job_id: int) -> Job | None:
        job = self._jobs.get(job_id)
        return job if job and job.holder is client else None

    def _kick(self, job: Job) -> None:
        self._take_out(job)
        job.kicks += 1
        self._make_ready(job)

    def _enqueue(self, job: Job) -> None:
        """Make a job delayed, or ready if it has no delay."""
        if not job.delay:
            self._make_ready(job)
            return
        job.state = State.DELAYED
        job.deadline = self.clock() + job.delay
        key = (job.deadline, job.id)
        job.tube.delayed.add(job, key)
        self._delayed.add(job, key)

    def _make_ready(self, job: Job) -> None:
        job.state = State.READY
        job.tube.ready.add(job, _ready_key(job))
        job.tube.urgent += job.priority < URGENT
        if job.tube.waiting:
            self._serve([job.tube])

    def _take_out(self, job: Job) -> None:
        """Take a job out of the queue that it is in."""
        tube = job.tube
        match job.state:
            case State.READY:
                tube.ready.discard(job)
                tube.urgent -= job.priority < URGENT
            case State.DELAYED:
                tube.delayed.discard(job)
                self._delayed.discard(job)
            case State.BURIED:
                del tube.buried[job]
            case State.RESERVED if client := job.holder:
                client.reserved.discard(job)
                job.holder = None
                tube.reserved -= 1
                self._set_alarm(client)

    def _borrow(self, name: str) -> Tube:
        """Return a tube, made if there is none, with one more reference."""
        tube = self._tube_of.get(name)
        if tube is None:
            self._last_tube_number += 1
            tube = Tube(name, self._last_tube_number)
            self._tube_of[name] = tube
            self.tubes.append(tube)
        tube.references += 1
        return tube

    def _give_back(self, tube: Tube) -> None:
        """Drop a reference to a tube, and the tube with its last one."""
        tube.references -= 1
        if not tube.references:
            del self._tube_of[tube.name]
            self.tubes.discard(tube)
            self._paused.discard(tube)

    def _stop_watching(self, client: Client, tube: Tube) -> None:
        client.watches.discard(tube)
        tube.watching -= 1
        self._give_back(tube)


def _ready_key(job: Job) -> tuple[int, int]:
    return (job.priority, job.id)


def _in_order_of_clearing(watches: Rotation[Tube]) -> list[Tube]:
    """Return the tubes in the order in which the first one, again and again, leaves."""
    first, *others = watches
    return [first, *reversed(others)]
