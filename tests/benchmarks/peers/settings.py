"""How much is measured: in full, or only enough to see that it works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes are numbers of jobs, times are seconds."""

    rounds: int = 3
    puts: int = 10_000
    bulk_puts: int = 20_000
    drain_jobs: int = 20_000
    drain_deadline: float = 15
    waits: int = 300
    slots: int = 10
    pace: float = 100
    latencies: int = 1_500
    busy_jobs: int = 4_000
    settle: float = 1
    calm: float = 5
    idle_seconds: float = 30
    imports: int = 7
    backlogs: tuple[int, int, int] = (1_000, 100_000, 1_000_000)
    window: float = 4
    drains: int = 10
    drains_budget: float = 10
    fill_budget: int = 240
    floor_operations: int = 20_000


FULL = Settings()
QUICK = Settings(
    rounds=1,
    puts=100,
    bulk_puts=500,
    drain_jobs=200,
    drain_deadline=20,
    waits=20,
    latencies=20,
    busy_jobs=50,
    settle=0.1,
    calm=0.1,
    idle_seconds=0.2,
    imports=1,
    backlogs=(50, 500, 2_000),
    window=0.1,
    drains=1,
    fill_budget=5,
    floor_operations=500,
)
