"""Faults in the connections that are kept between puts."""

from .mutant import Mutant

IDLE = "jobqueue/broker/idle_connections.py"
POOL = "jobqueue/broker/pool.py"
LOOP_POOL = "jobqueue/broker/loop_pool.py"
LOOP_CONNECTION = "jobqueue/broker/loop_connection.py"
LOOP_SOCKET = "jobqueue/broker/loop_socket.py"
POOL_TESTS = "tests/broker/test_pool.py"
APUT_TESTS = "tests/task/test_aput.py"

OF_CONNECTIONS = [
    Mutant(
        "in-step-too-early",
        "a connection is in step only when the last reply was read",
        "jobqueue/broker/connection.py",
        "self._connection.is_in_step = False",
        "self._connection.is_in_step = True",
        (f"{POOL_TESTS}::test_connection_that_is_closed_after_a_put",),
    ),
    Mutant(
        "idle-connection-not-asked",
        "no job rides on a connection that something in between has forgotten",
        IDLE,
        "now - connection.last_used > ASK_AFTER",
        "False",
        (f"{POOL_TESTS}::test_idle_connection_is_asked_first",),
    ),
    Mutant(
        "one-silence-blames-one",
        "after one silence all idle connections are suspect",
        POOL,
        "idle.close_suspects()  # what lies between may have forgotten all",
        "pass",
        (f"{POOL_TESTS}::test_silence_makes_all_idle_connections_suspect",),
    ),
    Mutant(
        "burst-kept-for-ever",
        "the connections of a burst are closed by later puts",
        IDLE,
        "_close_all(self._idle, self._fewest - SPARES)",
        "pass",
        (f"{POOL_TESTS}::test_connections_of_a_burst",),
    ),
    Mutant(
        "needed-taken-for-spare",
        "connections that bursts need again stay open",
        IDLE,
        "self._fewest = min(self._fewest, left)",
        "self._fewest = left",
        (f"{POOL_TESTS}::test_as_many_as_were_needed_at_once",),
    ),
    Mutant(
        "cancelled-aput-sent",
        "an aput that is cancelled before it is sent puts nothing",
        LOOP_CONNECTION,
        "if put.future.done():  # cancelled, or too late",
        "if self.loop.is_closed():",
        (f"{APUT_TESTS}::test_put_cancelled_before_it_is_sent",),
    ),
    Mutant(
        "cancelled-aput-without-its-reply",
        "the reply to a cancelled aput is read, and dropped",
        LOOP_CONNECTION,
        "            if not sent:\n                raise",
        "            while sent and sent[0] and sent[0].future.done():\n"
        "                sent.popleft()\n"
        "            if not sent:\n                raise",
        (f"{APUT_TESTS}::test_each_put_has_its_own_deadline",),
    ),
    Mutant(
        "silent-loop-connection-kept",
        "an event loop's connection that was silent takes no more puts",
        LOOP_CONNECTION,
        "        if late:\n            self.retire()",
        "        if not waiting:\n            self.retire()",
        (f"{APUT_TESTS}::test_each_put_has_its_own_deadline",),
    ),
    Mutant(
        "idle-loop-connection-not-asked",
        "no aput rides on a connection that something in between has forgotten",
        LOOP_CONNECTION,
        "clock() - self._last_put > ASK_AFTER",
        "self.loop.is_closed()",
        (f"{APUT_TESTS}::test_idle_connection_is_asked_first",),
    ),
    Mutant(
        "aput-not-put-again",
        "an aput on a connection that proves dead is put over a new one",
        LOOP_POOL,
        "if not was_connected:",
        "if was_connected:",
        (f"{APUT_TESTS}::test_replies_that_are_none",),
    ),
    Mutant(
        "connection-outlives-its-loop",
        "an event loop's connection is closed when the loop ends",
        LOOP_SOCKET,
        "_run_at_once(anext(self._until_loop_ends))",
        "pass",
        (f"{APUT_TESTS}::test_ids_are_in_order",),
    ),
    Mutant(
        "full-buffer-overlooked",
        "puts wait while the broker takes no more, and none is cut",
        LOOP_CONNECTION,
        "                self._may_write = False\n        except OSError",
        "                pass\n        except OSError",
        (f"{APUT_TESTS}::test_large_jobs",),
    ),
    Mutant(
        "late-aput-sent",
        "an aput that is too late is not sent",
        LOOP_CONNECTION,
        "        self._on_alarm()  # a put",
        "        pass  # a put",
        (f"{APUT_TESTS}::test_put_that_is_too_late_to_be_sent",),
    ),
]
