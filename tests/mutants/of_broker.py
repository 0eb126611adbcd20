"""Faults in talking to beanstalkd."""

from .mutant import Mutant

OF_BROKER = [
    Mutant(
        "put-again-after-a-time-out",
        "a put that was not answered in time is not sent a second time",
        "jobqueue/broker/pool.py",
        "except ConnectionLostError:",
        "except (ConnectionLostError, TimeoutError):",
        ("tests/broker/test_pool.py",),
    ),
]
