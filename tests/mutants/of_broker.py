"""Faults in talking to beanstalkd."""

from .mutant import Mutant

CONNECTION = "jobqueue/broker/connection.py"
CONSUMING = "jobqueue/broker/consuming.py"
IDLE = "jobqueue/broker/idle_connections.py"
POOL = "jobqueue/broker/pool.py"
PRODUCING = "jobqueue/broker/producing.py"
REPLIES = "jobqueue/broker/replies.py"
STATS = "jobqueue/broker/stats.py"
WIRE = "jobqueue/broker/wire.py"
BROKER_TESTS = "tests/faults/test_broker.py"
CONNECTION_TESTS = "tests/broker/test_connection.py"
POOL_TESTS = "tests/broker/test_pool.py"
PUTTER_TESTS = "tests/task/test_putter.py"
STATS_TESTS = "tests/broker/test_stats.py"
UNDER_LOAD_TESTS = "tests/task/test_under_load.py"
WIRE_TESTS = "tests/broker/test_wire.py"

OF_BROKER = [
    Mutant(
        "put-again-after-a-time-out",
        "a put that was not answered in time is not sent a second time",
        POOL,
        "except ConnectionLostError:",
        "except (ConnectionLostError, TimeoutError):",
        (f"{POOL_TESTS}::test_put_that_is_not_answered",),
    ),
    Mutant(
        "out-of-step-stays-open",
        "a connection is closed after anything but a clean reply",
        CONNECTION,
        "        self._connection.close()\n        address",
        "        address",
        (f"{CONNECTION_TESTS}::test_cut_reply",),
    ),
    Mutant(
        "request-forgotten",
        "each reply is read as the reply to its own command",
        CONSUMING,
        "            self._reserve_is_sent = reserve is not None\n"
        "            spin = self._spin",
        "            spin = self._spin",
        (f"{CONNECTION_TESTS}::test_settle_and_reserve_in_one_write",),
    ),
    Mutant(
        "cut-body-taken",
        "a body that was cut short is no body",
        WIRE,
        '    if not data.endswith(b"\\r\\n"):',
        "    if not data:",
        (f"{CONNECTION_TESTS}::test_cut_reply",),
    ),
    Mutant(
        "end-of-stream-ignored",
        "a broker that hangs up is noticed at once",
        WIRE,
        "        if not received:\n",
        "        if received is None:\n",
        (f"{WIRE_TESTS}::test_end_of_the_stream",),
    ),
    Mutant(
        "destroyed-body-loses-the-connection",
        "a body that beanstalkd has destroyed is buried, and holds up no job",
        WIRE,
        "return data if data.endswith(_ZEROS) else _without_line_end(data)",
        "return _without_line_end(data)",
        (f"{BROKER_TESTS}::test_half_written_job",),
    ),
    Mutant(
        "any-id",
        "a reply with an impossible id is refused",
        REPLIES,
        "if word.isdigit() and 0 < (job_id := int(word)) <= MAX_JOB_ID:",
        "if word.isdigit() and (job_id := int(word)) <= MAX_JOB_ID:",
        (f"{CONNECTION_TESTS}::test_nonsense",),
    ),
    Mutant(
        "connection-shared-across-a-fork",
        "a child process makes connections of its own",
        IDLE,
        "if self._pid != os.getpid():",
        "if not self._pid:",
        (f"{UNDER_LOAD_TESTS}::test_forked_children",),
    ),
    Mutant(
        "out-of-step-given-back",
        "only a connection whose replies were all read is given back to the pool",
        IDLE,
        "if connection.is_in_step:",
        "if connection.is_open:",
        (f"{POOL_TESTS}::test_two_interrupts",),
    ),
    Mutant(
        "close-forgets-those-in-use",
        "close() closes also the connections that are in use",
        IDLE,
        "if generation is not self.generation:",
        "if generation is None:",
        (f"{POOL_TESTS}::test_close_during_a_put",),
    ),
    Mutant(
        "no-round-trip-before-many",
        "put_many does not put jobs twice on a dead connection",
        PRODUCING,
        "        self.use(tube)\n        self.shorten_wait",
        "        if self.using != tube:\n            self.use(tube)\n"
        "        self.shorten_wait",
        (f"{POOL_TESTS}::test_many_on_a_dead_connection",),
    ),
    Mutant(
        "refusal-of-an-item-ignored",
        "put_many says which item was refused",
        PRODUCING,
        "        if self.refusal is None:\n            self.refusal = answer",
        "        if size < 0:\n            self.refusal = answer",
        (f"{PUTTER_TESTS}::test_broker_out_of_memory",),
    ),
    Mutant(
        "bad-tube-sent",
        "a tube name with a line break reaches no broker",
        PRODUCING,
        "check_tube(tube).encode()",
        "tube.encode()",
        (f"{CONNECTION_TESTS}::test_tube_with_a_line_break",),
    ),
    Mutant(
        "retries-count-as-losses",
        "a retry is no loss",
        STATS,
        "return self.reserves - 1 - self.releases - buries",
        "return self.reserves - 1 - buries",
        (f"{STATS_TESTS}::test_a_job_says_what_its_counts_mean",),
    ),
    Mutant(
        "no-probes",
        "TCP probes an idle connection",
        "jobqueue/broker/connecting.py",
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)",
        "sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)",
        (f"{CONNECTION_TESTS}::test_tcp",),
    ),
    Mutant(
        "each-byte-has-the-whole-time-out",
        "a broker that sends byte after byte holds nobody up",
        WIRE,
        "        if self.deadline is None:\n            self.deadline = now",
        "        if now:\n            self.deadline = now",
        (f"{WIRE_TESTS}::test_trickle",),
    ),
    Mutant(
        "large-body-has-one-time-out",
        "a large body may come slowly",
        WIRE,
        "            self._socket.deadline = None\n        return part",
        "            pass\n        return part",
        (f"{WIRE_TESTS}::test_large_body_over_a_slow_line",),
    ),
    Mutant(
        "burials-outweigh-losses",
        "a loss counts, however often a restarted broker has counted a burial",
        STATS,
        "buries = min(self.buries, self.kicks)",
        "buries = self.buries",
        (f"{STATS_TESTS}::test_a_job_says_what_its_counts_mean",),
    ),
]
