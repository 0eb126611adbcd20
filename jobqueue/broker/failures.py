"""The errors of a broker that can't be reached, is silent, or refuses a job."""

import greenstalk

from jobqueue.broker.address import Address
from jobqueue.broker.reasons import (
    Received,
    advice_for,
    meaning_of_silence,
    reason_for,
    words_of,
)
from jobqueue.broker.replies import NO_ROOM
from jobqueue.errors import (
    BrokerDrainingError,
    BrokerOutOfMemoryError,
    BrokerTimeoutError,
    BrokerUnreachableError,
    ConnectionLostError,
    JobQueueError,
    JobTooBigError,
)

# The replies with which a healthy broker refuses a put.
REFUSALS = (
    greenstalk.BuriedError,
    greenstalk.DrainingError,
    greenstalk.JobTooBigError,
    greenstalk.OutOfMemoryError,
)

# What is raised for a connection that has ended, and for a reply that makes no sense or
# is too large for this process. Any other error is a fault of this library.
OF_THE_BROKER = (OSError, ValueError, IndexError, MemoryError, greenstalk.Error)


def unreachable(address: Address, error: Exception) -> BrokerUnreachableError:
    """Return the error for a connection that could not be made."""
    return BrokerUnreachableError(
        f"beanstalkd at {address} can't be reached ({words_of(error)}): "
        f"{advice_for(address, error)}"
    )


def silent(address: Address, *, is_new: bool) -> BrokerTimeoutError:
    """Return the error for a reply that did not come in time.

    ``is_new`` says whether no reply has come yet over that connection.
    """
    return BrokerTimeoutError(
        f"beanstalkd at {address} did not answer in time, within "
        f"{address.timeout:g} s: {meaning_of_silence(is_new=is_new)}"
    )


def lost(address: Address, error: Exception, reader: Received) -> ConnectionLostError:
    """Return the error for a connection that an error has ended."""
    reason = reason_for(error, reader)
    return ConnectionLostError(
        f"the connection to beanstalkd at {address} was lost: {reason}"
    )


def lost_by(address: Address, error: Exception, reader: Received) -> Exception:
    """Return :func:`lost` for an error of the broker's, and any other error itself."""
    return lost(address, error, reader) if isinstance(error, OF_THE_BROKER) else error


def refused(
    error: greenstalk.BeanstalkdError,
    address: Address,
    tube: str,
    size: int,
    limit: int,
) -> JobQueueError:
    """Return the error for a job that the broker refused.

    ``size`` is the job's, and ``limit`` the broker's for a job that is too big, in
    bytes.
    """
    broker = f"beanstalkd at {address}"
    match error:
        case greenstalk.JobTooBigError():
            return JobTooBigError(
                f"a job of {size} bytes for tube {tube!r} is too big: {broker} "
                f"takes {limit} at most. Put a reference to the data (a path, "
                "a key), or start beanstalkd with a larger -z, and then never again "
                "with a smaller one: that destroys jobs in its binlog (to go back, "
                "`jobqueue export` them first)."
            )
        case greenstalk.DrainingError():
            return BrokerDrainingError(
                f"{broker} is draining (it got SIGUSR1) and takes no new jobs"
            )
        case greenstalk.BuriedError(id=job_id):
            return BrokerOutOfMemoryError(
                f"{broker} is out of memory: it buried the job at once, as {job_id}"
            )
        case _:
            return BrokerOutOfMemoryError(
                f"{broker} did not take the job: it {NO_ROOM}"
            )


def refused_in_short(error: greenstalk.BeanstalkdError) -> str:
    """Return why the broker refused a job, as in "the broker is draining"."""
    match error:
        case greenstalk.JobTooBigError():
            return "it is larger than the broker's limit (beanstalkd -z)"
        case greenstalk.DrainingError():
            return "the broker is draining"
        case _:
            return f"the broker {NO_ROOM}"
