"""A connection that keeps the ticks of schedules, each in a tube of its own."""

from jobqueue.broker.checks import check_id
from jobqueue.broker.consuming import ConsumerConnection
from jobqueue.broker.operating import OperatorConnection


class TickingConnection(OperatorConnection, ConsumerConnection):
    """A connection that reserves the ticks of schedules, puts and deletes them."""

    def reserve_job(self, job_id: int) -> bytes | None:
        """Reserve a job in any state, and return its body; None if another has it.

        Needs beanstalkd 1.12.
        """
        check_id(job_id)
        command = b"reserve-job %d\r\n" % job_id
        return self.ask(command, lambda: self.read_body(b"RESERVED"))
