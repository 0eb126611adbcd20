"""The notes of failures that are in a broker."""

import greenstalk

from jobqueue.job.note import FailureNote, decode_note
from jobqueue.job.note_tubes import failures_tube, is_notes_tube, retries_tube
from tests.helpers.servers import Beanstalkd


def burials(broker: Beanstalkd, tube: str = "t") -> list[FailureNote]:
    """Return the notes of a tube's burials, the oldest first."""
    return notes_in(broker, failures_tube(tube))


def retries(broker: Beanstalkd, tube: str = "t") -> list[FailureNote]:
    return notes_in(broker, retries_tube(tube))


def notes_in(broker: Beanstalkd, notes_tube: str) -> list[FailureNote]:
    found = [decode_note(body) for body in bodies_in(broker, notes_tube)]
    return [note for note in found if note is not None]


def bodies_in(broker: Beanstalkd, tube: str) -> list[bytes]:
    """Return the bodies of a tube's ready jobs, and leave them ready."""
    found = []
    with broker.client(tube) as client:
        while True:
            try:
                found.append(client.reserve(timeout=0).body)
            except greenstalk.TimedOutError:
                return found


def notes_tubes(broker: Beanstalkd) -> list[str]:
    with broker.client() as client:
        return [tube for tube in client.tubes() if is_notes_tube(tube)]
