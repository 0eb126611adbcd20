r"""Signed jobs: a fourth key in the body proves that its producer knows the secret.

The signature is the HMAC-SHA256 of ``b"jobqueue v1\n"`` and the body without signature.
It is the last key of the body, so that the signed bytes are those before it. Therefore
any language can sign, however it writes numbers and strings.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import NoReturn, Self

from jobqueue.errors import OptionError, SignatureError

VARIABLE = "JOBQUEUE_SECRET"
NO_PICKLE = (
    "a JobQueue can't be pickled: it has connections, and may have a secret. "
    "Pass a task, which is pickled by its name, or let the other process import "
    "the module that has the queue"
)
SHORTEST = 16  # bytes

Secret = str | bytes | Sequence[str | bytes]

# A prefix, so that what the same secret signs elsewhere is not valid for a job.
_CONTEXT = b"jobqueue v1\n"
_KEY = b',"signature":"'
_DIGITS = 64
_END = b'"}'
_LENGTH = len(_KEY) + _DIGITS + len(_END)


class Signing:
    """Signs jobs and checks their signatures, with one secret, several, or none.

    The first secret signs, and each is accepted, so that they can be replaced one by
    one. A string holds one secret, or several separated by whitespace. Without a
    ``secret``, ``$JOBQUEUE_SECRET`` counts. It is read when the first job is signed or
    checked: every method raises :class:`~jobqueue.errors.OptionError` if it is invalid.

    Raises :class:`~jobqueue.errors.OptionError` for a ``secret`` of less than 16 bytes.
    No error and no ``repr`` shows a secret, and no pickle has one.
    """

    def __init__(self, secret: Secret | None = None) -> None:
        if secret is not None:
            self._secrets = _checked("secret", secret)
        if secret is not None or VARIABLE in os.environ:
            import hmac  # noqa: F401, PLC0415 - not at a put: see Address.prepare

    @cached_property
    def _secrets(self) -> tuple[bytes, ...]:
        found = os.environ.get(VARIABLE)
        return () if found is None else _checked(f"${VARIABLE}", found)

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: a pickle would carry the secret in clear."""
        raise TypeError(NO_PICKLE)

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __copy__(self) -> Self:
        return self

    @property
    def is_on(self) -> bool:
        """Whether there is a secret."""
        return bool(self._secrets)

    def sign(self, body: bytes) -> bytes:
        """Return the body with its signature, or as it is if there is no secret."""
        if not self._secrets:
            return body
        signature = _signature(self._secrets[0], body)
        return b"%b%b%b%b" % (body[:-1], _KEY, signature, _END)

    def check(self, body: bytes) -> None:
        """Raise SignatureError for a body that is not signed with one of the secrets.

        Without a secret, every body is accepted.
        """
        if not self._secrets:
            return
        import hmac  # noqa: PLC0415 - see _signature

        content, tail = body[:-_LENGTH] + b"}", body[-_LENGTH:]
        if not (tail.startswith(_KEY) and tail.endswith(_END)):
            raise SignatureError(
                f"it is not signed, as this task's jobs have to be: its body should "
                f'end with ,"signature":"{_DIGITS} hexadecimal digits"}}'
            )
        signature = tail[len(_KEY) : -len(_END)]
        for secret in self._secrets:
            if hmac.compare_digest(signature, _signature(secret, content)):
                return
        raise SignatureError(
            "its signature is wrong: it was signed with another secret than this "
            "worker's, or changed after it was signed"
        )


def _signature(secret: bytes, body: bytes) -> bytes:
    import hmac  # noqa: PLC0415 - slow to import, and only signed jobs need it

    return hmac.digest(secret, _CONTEXT + body, "sha256").hex().encode()


def _checked(name: str, given: object) -> tuple[bytes, ...]:
    """Return the secrets. Raises OptionError if one is invalid, or there is none."""
    items = given if isinstance(given, list | tuple) else [given]
    found = tuple(secret for item in items for secret in _split(name, item))
    if not found:
        raise OptionError(f"{name} is empty: leave it out, and jobs are not signed")
    if min(map(len, found)) < SHORTEST:
        raise OptionError(
            f"{name} is too short: {SHORTEST} bytes are the least, also for each of "
            "several, separated by whitespace. `openssl rand -hex 32` makes a secret"
        )
    return found


def _split(name: str, item: object) -> list[bytes]:
    if isinstance(item, bytes):
        return [item]
    if not isinstance(item, str):
        kind = type(item).__name__
        raise OptionError(
            f"{name} has to be a str, bytes, or a list of these: no {kind}"
        )
    try:
        # surrogateescape: the exact bytes of the environment, even if not UTF-8.
        return [word.encode(errors="surrogateescape") for word in item.split()]
    except UnicodeEncodeError:
        raise OptionError(f"{name} has a lone surrogate, which no UTF-8 has") from None
