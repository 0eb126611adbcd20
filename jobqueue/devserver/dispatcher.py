"""The queues of the development server, and the clients that wait for their jobs."""

from collections.abc import Callable, Iterable

from jobqueue.devserver.ordering import Queue
from jobqueue.devserver.records import (
    NEVER,
    SECOND,
    Client,
    NoJob,
    StoredJob,
    StoredJobState,
    Tube,
)

_SAFETY_MARGIN = SECOND  # DEADLINE_SOON is the reply in the last second of a job's ttr
_URGENT = 1024  # priorities below are urgent


class Dispatcher:
    """Moves jobs between queues, and hands ready jobs to clients that wait.

    ``timeouts`` counts the jobs that were taken back as their ttr was over.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.timeouts = 0
        self._clock = clock
        self._delayed: Queue[StoredJob] = Queue()
        self._paused: Queue[Tube] = Queue()
        self._alarms: Queue[Client] = Queue()

    def tick(self) -> None:
        """Do everything that is due now."""
        now = self._clock()
        while (job := self._delayed.first()) and job.deadline <= now:
            self.take_out(job)
            self.make_ready(job)
        while (tube := self._paused.first()) and tube.paused_until <= now:
            tube.pause = 0
            self._paused.discard(tube)
            self._serve([tube])
        while (client := self._alarms.first()) and client.alarm <= now:
            self._ring(client, now)

    def next_tick(self) -> int | None:
        """Return when something will be due; None if nothing ever will."""
        queues = (self._delayed, self._paused, self._alarms)
        dues = (queue.first_key() for queue in queues)
        return min((due for due in dues if due is not None), default=None)

    def enqueue(self, job: StoredJob) -> None:
        """Make a job delayed, or ready if it has no delay."""
        if not job.delay:
            self.make_ready(job)
            return
        job.state = StoredJobState.DELAYED
        job.deadline = self._clock() + job.delay
        key = (job.deadline, job.id)
        job.tube.delayed.add(job, key)
        self._delayed.add(job, key)

    def make_ready(self, job: StoredJob) -> None:
        """Make a job ready, and hand it to a client that waits for one."""
        job.state = StoredJobState.READY
        job.tube.ready.add(job, _ready_key(job))
        job.tube.urgent += job.priority < _URGENT
        if job.tube.waiting:
            self._serve([job.tube])

    def take_out(self, job: StoredJob) -> None:
        """Take a job out of the queue that it is in."""
        tube = job.tube
        match job.state:
            case StoredJobState.READY:
                tube.ready.discard(job)
                tube.urgent -= job.priority < _URGENT
            case StoredJobState.DELAYED:
                tube.delayed.discard(job)
                self._delayed.discard(job)
            case StoredJobState.BURIED:
                del tube.buried[job]
            case StoredJobState.RESERVED if client := job.holder:
                client.reserved.discard(job)
                job.holder = None
                tube.reserved -= 1
                self._set_alarm(client)

    def hand_over(self, job: StoredJob, client: Client) -> None:
        """Reserve a job, which is in no queue, for a client."""
        job.state = StoredJobState.RESERVED
        job.holder = client
        job.deadline = self._clock() + job.ttr
        job.reserves += 1
        job.tube.reserved += 1
        client.reserved.add(job, (job.deadline, job.id))
        self._set_alarm(client)

    def touch(self, job: StoredJob, client: Client) -> None:
        """Start the ttr of a client's reserved job again."""
        job.deadline = self._clock() + job.ttr
        client.reserved.add(job, (job.deadline, job.id))
        self._set_alarm(client)

    def wait(self, client: Client, timeout: int | None) -> None:
        """Give a client the next job of its tubes, as soon as there is one.

        ``timeout`` is how many seconds the client waits; None: without a limit.
        """
        if self._is_deadline_soon(client) and not client.has_ready_job():
            client.answer(NoJob.DEADLINE_SOON)
            return
        client.is_waiting = True
        for tube in client.watches:
            tube.waiting.append(client)
        self._serve(client.watches)
        if not client.is_waiting:
            return
        if self._is_deadline_soon(client):
            self.send_away(client, NoJob.DEADLINE_SOON)
        elif timeout == 0 or client.is_half_closed:
            self.send_away(client, NoJob.TIMED_OUT)
        else:
            if timeout is not None:
                client.waits_until = self._clock() + timeout * SECOND
            self._set_alarm(client)

    def stop_waiting(self, client: Client) -> None:
        """Hand no job to a client that waited for one."""
        client.is_waiting = False
        client.waits_until = NEVER
        for tube in client.watches:
            tube.waiting.discard(client)

    def send_away(self, client: Client, reason: NoJob) -> None:
        """Answer a client that waits that it gets no job."""
        self.stop_waiting(client)
        self._set_alarm(client)
        client.answer(reason)

    def forget_client(self, client: Client) -> None:
        """Drop the timer of a client that has disconnected."""
        self._alarms.discard(client)

    def forget_tube(self, tube: Tube) -> None:
        """Drop the timer of a tube that is no more."""
        self._paused.discard(tube)

    def pause(self, tube: Tube, seconds: int) -> None:
        """Hand out no jobs of a tube for a while."""
        tube.pause = max(seconds * SECOND, 1)  # 0 ends a pause, but at the next tick
        tube.paused_until = self._clock() + tube.pause
        self._paused.add(tube, (tube.paused_until, tube.number))

    def _serve(self, tubes: Iterable[Tube]) -> None:
        """Hand ready jobs of these tubes to clients that wait."""
        while True:
            able = [t for t in tubes if t.waiting and t.ready and self._is_open(t)]
            jobs = [job for tube in able if (job := tube.ready.first())]
            if not jobs:
                return
            job = min(jobs, key=_ready_key)
            client = job.tube.waiting.take()
            self.stop_waiting(client)
            self.take_out(job)
            self.hand_over(job, client)
            client.answer(job)

    def _is_open(self, tube: Tube) -> bool:
        """Return whether a tube is not paused, or its pause is over by now."""
        return not tube.pause or tube.paused_until <= self._clock()

    def _ring(self, client: Client, now: int) -> None:
        """Send a client away that has waited enough, and take overdue jobs from it."""
        if client.is_waiting and self._is_deadline_soon(client):
            self.send_away(client, NoJob.DEADLINE_SOON)
        while (job := client.reserved.first()) and job.deadline <= now:
            self.take_out(job)
            self.timeouts += 1
            job.timeouts += 1
            self.make_ready(job)
        if client.is_waiting and client.waits_until <= now:
            self.send_away(client, NoJob.TIMED_OUT)
        self._set_alarm(client)

    def _set_alarm(self, client: Client) -> None:
        job = client.reserved.first()
        alarm = job.deadline if job else NEVER
        if client.is_waiting:
            alarm = min(alarm - _SAFETY_MARGIN, client.waits_until)
        client.alarm = alarm
        if alarm >= NEVER - _SAFETY_MARGIN:
            self._alarms.discard(client)
        else:
            self._alarms.add(client, (alarm, client.number))

    def _is_deadline_soon(self, client: Client) -> bool:
        job = client.reserved.first()
        return job is not None and self._clock() >= job.deadline - _SAFETY_MARGIN


def _ready_key(job: StoredJob) -> tuple[int, int]:
    return (job.priority, job.id)
