"""The command ``jobqueue``, or ``python -m jobqueue``.

It imports only what its subcommand needs: a worker loads nothing of the operator's
commands, and they load nothing of a worker.
"""

import sys
from collections.abc import Sequence

WORKER = "worker"
DEVSERVER = "devserver"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    match [*words]:
        case [word, *rest] if word == WORKER:
            _hold_quiet_signal()
            from jobqueue.app_modules import find_in_current_folder  # noqa: PLC0415 - see above
            from jobqueue.worker import __main__ as worker  # noqa: PLC0415 - see above

            find_in_current_folder()
            return worker.main(rest, worker.COMMAND)
        case [word, *rest] if word == DEVSERVER:
            from jobqueue.devserver import __main__ as devserver  # noqa: PLC0415 - see above

            return devserver.main(rest, f"jobqueue {DEVSERVER}")
        case _:
            from jobqueue.admin import cli  # noqa: PLC0415 - see above

            return cli.main(words)


def _hold_quiet_signal() -> None:
    """Defer SIGUSR1, which would end the process, until the worker has its handlers."""
    if sys.platform != "win32":
        import signal  # noqa: PLC0415 - see above

        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})


if __name__ == "__main__":
    sys.exit(main())
