"""The books of one `put_many`: what was sent, what was taken, what went wrong first."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from jobqueue.errors import PutManyError

E = TypeVar("E", bound=Exception)

_NOT_TAKEN = 0  # beanstalkd's job ids start at 1


class Refused(NamedTuple, Generic[E]):
    """An item that the broker did not take."""

    number: int  # of the item, from 0
    size: int  # bytes
    error: E


class Bulk(Generic[E]):
    """Follows the bodies of a ``put_many`` on their way to the broker and back."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.refused: Refused[E] | None = None  # the first one
        self.source_error: Exception | None = None
        self._sizes: deque[int] = deque()  # of what was sent and has no answer yet

    def sending(self, bodies: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bodies to send: until one is refused, or their source fails."""
        try:
            for body in bodies:
                if self.refused:
                    return
                self._sizes.append(len(body))
                yield body
        except Exception as error:  # noqa: BLE001 - raised when what was sent is answered
            self.source_error = error

    def answered(self, answer: int | E) -> None:
        """Note the answer to the next body: its job's id, or a refusal."""
        size = self._sizes.popleft()
        if isinstance(answer, int):
            self.ids.append(answer)
            return
        self.refused = self.refused or Refused(len(self.ids), size, answer)
        self.ids.append(_NOT_TAKEN)

    def error(self, cause: Exception) -> PutManyError:
        """Return the error that says what has become of the items."""
        index = self.refused.number if self.refused else len(self.ids)
        taken = {n: job_id for n, job_id in enumerate(self.ids) if job_id != _NOT_TAKEN}
        message = f"item {index} was not put ({cause}); {len(taken)} others were"
        if self._sizes:
            message += f", and {len(self._sizes)} may have been"
        return PutManyError(
            message, index=index, ids=taken, unconfirmed=len(self._sizes)
        )
