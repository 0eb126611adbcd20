"""Faults in talking to beanstalkd."""

from .mutant import Mutant

CONNECTION = "jobqueue/broker/connection.py"
CONSUMING = "jobqueue/broker/consuming.py"
POOL = "jobqueue/broker/pool.py"
PRODUCING = "jobqueue/broker/producing.py"
REPLIES = "jobqueue/broker/replies.py"
STATS = "jobqueue/broker/stats.py"
WIRE = "jobqueue/broker/wire.py"

OF_BROKER = [
    Mutant(
        "put-again-after-a-time-out",
        "a put that was not answered in time is not sent a second time",
        POOL,
        "except ConnectionLostError:",
        "except (ConnectionLostError, TimeoutError):",
        ("tests/broker/test_pool.py",),
    ),
    Mutant(
        "out-of-step-stays-open",
        "a connection is closed after anything but a clean reply",
        CONNECTION,
        "        self._connection.close()\n        address",
        "        address",
        ("tests/broker/test_connection.py",),
    ),
    Mutant(
        "request-forgotten",
        "each reply is read as the reply to its own command",
        CONSUMING,
        "self._reserve_is_sent = reserve is not None",
        "self._reserve_is_sent = False",
        ("tests/broker/test_connection.py", "tests/worker/slots/test_slot.py"),
    ),
    Mutant(
        "cut-body-taken",
        "a body that was cut short is no body",
        WIRE,
        '    if not data.endswith(b"\\r\\n"):',
        "    if not data:",
        ("tests/broker/test_connection.py",),
    ),
    Mutant(
        "end-of-stream-ignored",
        "a broker that hangs up is noticed at once",
        WIRE,
        "        if not received:\n",
        "        if received is None:\n",
        ("tests/broker/test_connection.py",),
    ),
    Mutant(
        "destroyed-body-loses-the-connection",
        "a body that beanstalkd has destroyed is buried, and holds up no job",
        WIRE,
        "return data if data.endswith(_ZEROS) else _without_line_end(data)",
        "return _without_line_end(data)",
        ("tests/faults/test_broker.py::test_half_written_job", "tests/broker"),
    ),
    Mutant(
        "any-id",
        "a reply with an impossible id is refused",
        REPLIES,
        "if word.isdigit() and 0 < (job_id := int(word)) <= MAX_JOB_ID:",
        "if word.isdigit() and (job_id := int(word)) <= MAX_JOB_ID:",
        ("tests/broker",),
    ),
    Mutant(
        "connection-shared-across-a-fork",
        "a child process makes connections of its own",
        POOL,
        "if self._pid != os.getpid():",
        "if not self._pid:",
        ("tests/task/test_under_load.py",),
    ),
    Mutant(
        "out-of-step-given-back",
        "only a connection whose replies were all read is given back to the pool",
        POOL,
        "if connection.is_in_step:",
        "if connection.is_open:",
        ("tests/broker/test_pool.py",),
    ),
    Mutant(
        "close-forgets-those-in-use",
        "close() closes also the connections that are in use",
        POOL,
        "if generation is not self._generation:",
        "if generation is None:",
        ("tests/broker/test_pool.py",),
    ),
    Mutant(
        "no-round-trip-before-many",
        "put_many does not put jobs twice on a dead connection",
        PRODUCING,
        "        self.use(tube)\n        self.shorten_wait",
        "        if self.using != tube:\n            self.use(tube)\n"
        "        self.shorten_wait",
        ("tests/broker/test_pool.py",),
    ),
    Mutant(
        "refusal-of-an-item-ignored",
        "put_many says which item was refused",
        PRODUCING,
        "        if self.refusal is None:\n            self.refusal = answer",
        "        if size < 0:\n            self.refusal = answer",
        ("tests/task/test_putter.py", "tests/broker"),
    ),
    Mutant(
        "bad-tube-sent",
        "a tube name with a line break reaches no broker",
        PRODUCING,
        "check_tube(tube).encode()",
        "tube.encode()",
        ("tests/broker/test_connection.py",),
    ),
    Mutant(
        "retries-count-as-losses",
        "a retry is no loss",
        STATS,
        "return self.reserves - 1 - self.releases - buries",
        "return self.reserves - 1 - buries",
        ("tests/broker/test_stats.py", "tests/job/test_outcome.py"),
    ),
    Mutant(
        "no-probes",
        "TCP probes an idle connection",
        "jobqueue/broker/connecting.py",
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)",
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)",
        ("tests/broker/test_connection.py",),
    ),
    Mutant(
        "each-byte-has-the-whole-time-out",
        "a broker that sends byte after byte holds nobody up",
        WIRE,
        "        if self.deadline is None:\n            self.deadline = now",
        "        if now:\n            self.deadline = now",
        ("tests/broker/test_wire.py::test_trickle",),
    ),
    Mutant(
        "large-body-has-one-time-out",
        "a large body may come slowly",
        WIRE,
        "            self._socket.deadline = None\n        return part",
        "            pass\n        return part",
        ("tests/broker/test_wire.py::test_large_body_over_a_slow_line",),
    ),
    Mutant(
        "burials-outweigh-losses",
        "a loss counts, however often a restarted broker has counted a burial",
        STATS,
        "buries = min(self.buries, self.kicks)",
        "buries = self.buries",
        ("tests/broker/test_stats.py",),
    ),
]
