"""The seam by which tests send puts and workers elsewhere than to their own broker."""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:  # a put needs no class for it
    from collections.abc import Coroutine, Iterable
    from typing import Any, Protocol

    from jobqueue.broker.put_options import PutOptions

    class Destination(Protocol):
        """An object that takes puts: a connection pool, or a test's substitute."""

        def put(self, tube: str, body: bytes, options: PutOptions) -> int:
            """Put a job, and return its id."""
            ...

        def aput(
            self, tube: str, body: bytes, options: PutOptions
        ) -> Coroutine[Any, Any, int]:
            """Put a job like :meth:`put`, without blocking the running event loop."""
            ...

        def put_many(
            self, tube: str, bodies: Iterable[bytes], options: PutOptions
        ) -> list[int]:
            """Put many jobs, and return their ids in order."""
            ...


class Redirection:
    """Where all puts and workers of this process go, if not to their queue's broker.

    Every put asks for ``destination``, and every worker that is given no URL asks for
    ``url``. Only :mod:`jobqueue.testing` sets them, and a command that is given both a
    task and a URL. They belong to the class, as a redirection is for the whole process:
    for queues that exist already, too.
    """

    destination: ClassVar["Destination | None"] = None  # None: the queue's connections
    url: ClassVar[str | None] = None  # None: that of the tasks' queue
