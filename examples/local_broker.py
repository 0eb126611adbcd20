"""A broker for the examples: one that runs already, or the development server."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from jobqueue.devserver import DevServer


@contextmanager
def local_broker() -> Iterator[None]:
    """Make sure that there is a broker, and that $BEANSTALKD_URL names it."""
    if os.environ.get("BEANSTALKD_URL") or is_port_open():
        yield
        return
    with DevServer() as server:
        print("no beanstalkd on port 11300: the development server takes its place")
        os.environ["BEANSTALKD_URL"] = server.url
        yield


def is_port_open() -> bool:
    """Return whether a server listens on beanstalkd's default port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", 11300)) == 0
