"""The libraries, and how the worker of each is started: the documented way."""

from collections.abc import Callable
from dataclasses import dataclass

APPS = "tests.benchmarks.peers.apps"

Command = Callable[[int], list[str]]


@dataclass(frozen=True, slots=True)
class Contender:
    """A library: `workers` are processes, `slots` jobs at a time in one process."""

    name: str
    app: str
    server: str
    workers: Command
    slots: Command | None
    imports: str
    make: str
    distributions: tuple[str, ...]
    has_bulk: bool = True


def _jobqueue(*options: str) -> list[str]:
    module = f"{APPS}.jobqueue_app"
    quiet = ("--log-level", "warning")
    return ["-m", "jobqueue.worker", "--import", module, *quiet, *options]


def _celery(*options: str) -> list[str]:
    app = f"{APPS}.celery_app"
    return ["-m", "celery", "-A", app, "worker", "--loglevel", "WARNING", *options]


def _rq(workers: int) -> list[str]:
    if workers == 1:
        return ["bin/rq", "worker", "--logging_level", "WARNING"]
    number = str(workers)
    return ["bin/rq", "worker-pool", "--logging-level", "WARNING", "-n", number]


def _dramatiq(*options: str) -> list[str]:
    # Without its own set-up of the log, Python's applies: warnings and errors.
    return ["-m", "dramatiq", f"{APPS}.dramatiq_app", "--skip-logging", *options]


def _huey(*options: str) -> list[str]:
    return ["bin/huey_consumer", f"{APPS}.huey_app.huey", "--quiet", *options]


def _taskiq(*options: str) -> list[str]:
    app = f"{APPS}.taskiq_app:broker"
    return ["bin/taskiq", "worker", app, "--log-level", "WARNING", *options]


CONTENDERS = (
    Contender(
        "jobqueue",
        "jobqueue_app",
        "beanstalkd",
        lambda n: _jobqueue("--processes", str(n)),
        lambda n: _jobqueue("--threads", str(n)),
        "from jobqueue import JobQueue",
        "queue = JobQueue()\n@queue.task('bench')\ndef task(): ...",
        ("jobqueue", "greenstalk"),
    ),
    Contender(
        "Celery",
        "celery_app",
        "redis",
        lambda n: _celery("--concurrency", str(n)),
        lambda n: _celery("--pool", "threads", "--concurrency", str(n)),
        "from celery import Celery",
        "app = Celery('bench', broker='redis://')\n@app.task\ndef task(): ...\n"
        "task.name",  # makes it: until then it is a proxy
        ("celery", "kombu", "billiard"),
    ),
    Contender(
        "RQ",
        "rq_app",
        "redis",
        _rq,
        None,
        "from rq import Queue",
        "from redis import Redis\nqueue = Queue(connection=Redis())",
        ("rq",),
    ),
    Contender(
        "Dramatiq",
        "dramatiq_app",
        "redis",
        lambda n: _dramatiq("--processes", str(n)),
        lambda n: _dramatiq("--processes", "1", "--threads", str(n)),
        "import dramatiq",
        "from dramatiq.brokers.redis import RedisBroker\n"
        "dramatiq.set_broker(RedisBroker())\n@dramatiq.actor\ndef task(): ...",
        ("dramatiq",),
    ),
    Contender(
        "Huey",
        "huey_app",
        "redis",
        lambda n: _huey("--workers", str(n), "--worker-type", "process"),
        lambda n: _huey("--workers", str(n), "--worker-type", "thread"),
        "from huey import RedisHuey",
        "huey = RedisHuey('bench')\n@huey.task()\ndef task(): ...",
        ("huey",),
        has_bulk=False,
    ),
    Contender(
        "taskiq",
        "taskiq_app",
        "redis",
        lambda n: _taskiq("--workers", str(n)),
        lambda n: _taskiq("--workers", "1", "--max-async-tasks", str(n)),
        "from taskiq_redis import RedisStreamBroker",
        "broker = RedisStreamBroker('redis://')\n@broker.task\nasync def task(): ...",
        ("taskiq", "taskiq-redis", "uvloop", "redis", "hiredis"),
    ),
)
NAMES = tuple(contender.name for contender in CONTENDERS)


def named(name: str) -> Contender:
    """Return a library by its name, in any case."""
    for contender in CONTENDERS:
        if contender.name.lower() == name.lower():
            return contender
    raise ValueError(f"no library {name!r}; there are {', '.join(NAMES)}")
