"""The command line of the development server: ``jobqueue devserver``.

Or ``jobqueue-devserver``, or ``python -m jobqueue.devserver``.
"""

import argparse
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from jobqueue import standard_streams
from jobqueue.devserver.endpoint import DEFAULT_HOST, DEFAULT_PORT, Endpoint
from jobqueue.devserver.records import MAX_JOB_SIZE
from jobqueue.devserver.statistics import VERSION

PROGRAM = "jobqueue-devserver"
_LARGEST_JOB = 2**30  # bytes: the most that beanstalkd's -z allows

DESCRIPTION = """\
An in-memory server that speaks beanstalkd's protocol, for development.
All jobs are gone when it stops.
"""
EPILOG = """\
examples:
  {program}
  {program} --listen 127.0.0.1:0    (any free port)
  {program} --listen '[::1]:11300'
  {program} --listen unix:/tmp/jobs.sock

SIGTERM and SIGINT (Ctrl-C) stop the server. After SIGUSR1 it refuses new jobs.
Exit status: 0 after a signal, 1 if it can't listen, 2 for wrong options.
"""


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Serve as the command line says, and return the exit status."""
    standard_streams.open_closed()
    parser = _parser(program)
    options = parser.parse_args(arguments)
    try:
        endpoint = Endpoint.parse(options.listen, options.port)
    except ValueError as error:
        parser.error(str(error))
    if options.verbose:
        import logging  # noqa: PLC0415 - slow, and needed for --verbose only

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        sock = endpoint.listen()
    except OSError as error:
        _say(program, error.strerror or str(error))
        return 1
    import asyncio  # noqa: PLC0415 - slow: clients can connect meanwhile

    try:
        asyncio.run(_serve(sock, min(options.max_job_size, _LARGEST_JOB), program))
    finally:
        endpoint.leave()
    return 0


async def _serve(sock: socket.socket, max_job_size: int, program: str) -> None:
    import asyncio  # noqa: PLC0415 - as above

    from jobqueue.devserver.server import Server  # noqa: PLC0415 - as above

    stop = asyncio.Event()
    server = Server(sock, max_job_size)
    url = Endpoint.of(sock).url
    with _handling("SIGINT", stop.set), _handling("SIGTERM", stop.set):  # noqa: SIM117
        with _handling("SIGUSR1", server.drain):
            await server.run(stop, started=lambda: _greet(program, url))


@contextmanager
def _handling(name: str, act: Callable[[], None]) -> Iterator[None]:
    """Have the event loop call ``act`` at a signal, if this system has the signal."""
    signum = getattr(signal, name, None)
    if signum is None:
        yield
        return
    import asyncio  # noqa: PLC0415 - as above

    loop = asyncio.get_running_loop()
    original = signal.signal(signum, lambda *_: loop.call_soon_threadsafe(act))
    try:
        yield
    finally:
        signal.signal(signum, original)


def _greet(program: str, url: str) -> None:
    _say(program, f"listening on {url}")
    _say(program, "for development: jobs are in memory, and gone when it stops")


def _say(program: str, line: str) -> None:
    standard_streams.say(f"{program}: {line}")


def _parser(program: str) -> argparse.ArgumentParser:
    parser = standard_streams.Parser(
        program,
        description=DESCRIPTION,
        epilog=EPILOG.format(program=program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-l",
        "--listen",
        metavar="ADDR",
        default=DEFAULT_HOST,
        help=f"HOST, HOST:PORT or unix:PATH (default: {DEFAULT_HOST}:{DEFAULT_PORT})",
    )
    parser.add_argument(
        "-p",
        "--port",
        type=_number,
        help=f"the port, if ADDR names none (default: {DEFAULT_PORT}; 0: any free one)",
    )
    parser.add_argument(
        "-z",
        "--max-job-size",
        type=_number,
        metavar="BYTES",
        default=MAX_JOB_SIZE,
        help="the size of the largest job to accept (default: %(default)s; at most "
        f"{_LARGEST_JOB})",
    )
    parser.add_argument(
        "-V",
        "--verbose",
        action="count",
        help="log connections to standard error, which has to be read",
    )
    parser.add_argument(
        "-v",
        "--version",
        action="version",
        version=f"{program}, for clients of beanstalkd: {VERSION}",
    )
    return parser


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
