"""The password of the page, by HTTP basic authentication, and slowed guessing."""

import binascii
import hashlib
import hmac
import threading
import time
from base64 import b64decode
from collections import OrderedDict

_FREE_GUESSES = 5  # of a network; people mistype
_LONGEST_WAIT = 60.0  # seconds between two guesses
_MAX_GUESSERS = 10_000  # networks that are remembered


class Password:
    """Compares passwords in constant time."""

    def __init__(self, password: str) -> None:
        self._digest = _digest(password)

    def user_of(self, header: str) -> str | None:
        """Return the user's name in an ``Authorization`` header; None if it is wrong.

        Any name goes: it says who did something, and is not checked.
        """
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            text = b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        user, colon, password = text.partition(":")
        is_right = hmac.compare_digest(_digest(password), self._digest)
        return user if colon and is_right else None


class Guesses:
    """Counts wrong passwords by network, and says how long the next has to wait.

    While a network waits, nothing that it sends is compared: the right password would
    be refused as well. So many guesses at the same time find out no more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_of(self, network: str) -> float:
        """Return for how many seconds a network has to wait; 0 for none."""
        with self._lock:
            _count, until = self._wrong.get(network, (0, 0.0))
        return max(0.0, until - time.monotonic())

    def add(self, network: str) -> None:
        """Note that a password was wrong."""
        with self._lock:
            count = self._wrong.pop(network, (0, 0.0))[0] + 1
            wait = 2.0 ** (count - _FREE_GUESSES) if count >= _FREE_GUESSES else 0.0
            until = time.monotonic() + min(wait, _LONGEST_WAIT)
            self._wrong[network] = min(count, 100), until
            if len(self._wrong) > _MAX_GUESSERS:
                self._wrong.popitem(last=False)

    def forget(self, network: str) -> None:
        """Note that a password was right."""
        with self._lock:
            self._wrong.pop(network, None)


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()
