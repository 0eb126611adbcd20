"""The tubes that exist: each is made at its first use and dropped after its last."""

from collections.abc import Iterator

from jobqueue.devserver.ordering import Rotation
from jobqueue.devserver.records import Tube


class Tubes:
    """All tubes by name, each with a count of its references.

    A job refers to its tube; a client refers to the tube that it uses and to those that
    it watches.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, Tube] = {}
        self._in_order: Rotation[Tube] = Rotation()
        self._last_number = 0

    def __iter__(self) -> Iterator[Tube]:
        return iter(self._in_order)

    def find(self, name: str) -> Tube | None:
        """Return a tube by its name; None if there is no such tube."""
        return self._by_name.get(name)

    def add_reference(self, name: str) -> Tube:
        """Return a tube, made if there is none, with one more reference."""
        tube = self._by_name.get(name)
        if tube is None:
            self._last_number += 1
            tube = Tube(name, self._last_number)
            self._by_name[name] = tube
            self._in_order.append(tube)
        tube.references += 1
        return tube

    def drop_reference(self, tube: Tube) -> bool:
        """Drop a reference, and return whether the tube went with its last one."""
        tube.references -= 1
        if tube.references:
            return False
        del self._by_name[tube.name]
        self._in_order.discard(tube)
        return True
