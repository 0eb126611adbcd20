"""How fast jobs are put: by one process, which has put some before."""

from tests.benchmarks.peers.awake import awake
from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.contenders import Contender

WARM_UP = 100


def measure(bench: Bench, contender: Contender) -> None:
    """Measure a library once, one by one, and in bulk where it has a way."""
    sizes, name = bench.settings, contender.name
    with awake(), bench.stage(contender) as stage, stage.producer() as producer:
        producer.put("noop", WARM_UP)
        bench.book.add("put", name, sizes.puts / producer.put("noop", sizes.puts))
        if contender.has_bulk:
            producer.put_many(WARM_UP)
            seconds = producer.put_many(sizes.bulk_puts)
            bench.book.add("put_many", name, sizes.bulk_puts / seconds)
        else:
            bench.book.remark("put_many", name, "none")
