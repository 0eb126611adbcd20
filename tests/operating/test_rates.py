"""The rates that top computes from counts."""

from jobqueue.broker.server_stats import ServerStats, TubeStats
from jobqueue.operating.rates import RateHistory, Sample


def server(pid: int = 1, **counts: int) -> ServerStats:
    names = (
        "uptime binlog_files max_job_size ready delayed reserved buried connections "
        "workers waiting puts jobs deletes timeouts cpu_seconds"
    )
    zeros = dict.fromkeys(names.split(), 0)
    return ServerStats(
        version="1.12",
        hostname="h",
        has_binlog=False,
        is_draining=False,
        pid=pid,
        **zeros | counts,
    )


def tube(name: str, **counts: int) -> TubeStats:
    names = "ready delayed reserved buried urgent watching waiting puts deletes paused"
    zeros = dict.fromkeys(names.split(), 0)
    return TubeStats(tube=name, **zeros | counts)


def sample(at: float, pid: int = 1, **tubes: TubeStats) -> Sample:
    puts = sum(tube.puts for tube in tubes.values())
    return Sample(at, server(pid, jobs=puts), tubes)


def test_rates_between_two_samples() -> None:
    history = RateHistory()
    history.add(sample(10, t=tube("t", puts=100, deletes=5, ready=3)))
    assert (history.tube("t").puts, history.server.puts) == (None, None)
    history.add(sample(12, t=tube("t", puts=150, deletes=5, ready=9)))

    assert (history.tube("t").puts, history.tube("t").deletes) == (25, 0)
    assert history.server.puts == 25
    assert history.ready("t") == [3, 9]


def test_no_rate_after_a_restart() -> None:
    """Nor of a tube that was gone: both count from 0 again."""
    history = RateHistory()
    history.add(sample(1, t=tube("t", puts=100)))
    history.add(sample(2, pid=2, t=tube("t", puts=200)))
    assert history.tube("t").puts is None
    history.add(sample(3, pid=2, t=tube("t", puts=1)))
    assert history.tube("t").puts is None
    history.add(sample(4, pid=2, t=tube("t", puts=4)))
    assert history.tube("t").puts == 3
