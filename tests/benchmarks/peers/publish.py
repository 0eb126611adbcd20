"""Writing results: tables and plots in files, and the README's section."""

from pathlib import Path

from tests.benchmarks.peers import plots, table
from tests.benchmarks.peers.claims import verdicts
from tests.benchmarks.peers.result import Result
from tests.benchmarks.peers.stage import ROOT

HERE = Path(__file__).parent
BEGIN, END = "<!-- benchmarks: begin -->\n", "<!-- benchmarks: end -->\n"
BEFORE = "## Developing it\n"
SHOWN = ("work", "latency", "memory")  # in the README; the rest with all the figures


def publish(result: Result) -> None:
    """Write results into this folder, and their short form into the README."""
    result.write(HERE / "results.json")
    written = {path.stem for path in plots.write_all(result, HERE / "plots")}
    (HERE / "RESULTS.md").write_text(full(result, written))
    readme = ROOT / "README.md"
    readme.write_text(inserted(readme.read_text(), section(result, written)))


def inserted(readme: str, text: str) -> str:
    """Put a section between its markers; without markers, before the next heading."""
    block = f"{BEGIN}{text}{END}"
    if BEGIN in readme:
        before, _, rest = readme.partition(BEGIN)
        return before + block + rest.partition(END)[2]
    before, heading, after = readme.partition(BEFORE)
    return f"{before}{block}\n{heading}{after}"


def section(result: Result, drawn: set[str]) -> str:
    """Return the README's section."""
    pictures = _pictures(
        [name for name in SHOWN if name in drawn], "tests/benchmarks/peers/plots"
    )
    return (
        "## Benchmarks\n\n"
        "jobqueue on beanstalkd, the others on redis, each in its documented way with\n"
        "results off. Medians of "
        f"{result.sizes['rounds']} rounds; the best of each row in bold.\n\n"
        f"{table.short_table(result)}\n"
        f"{pictures}"
        f"{table.environment(result)} Measured by `{result.command}`.\n"
        "[All figures](tests/benchmarks/peers/RESULTS.md), and\n"
        "[what they mean and how they were made](tests/benchmarks/README.md).\n"
    )


def full(result: Result, drawn: set[str]) -> str:
    """Return the page with all figures."""
    ratios = "".join(f"- {verdict}\n" for verdict in verdicts(result))
    return (
        "# All figures\n\n"
        f"{table.environment(result)} Measured by `{result.command}`.\n\n"
        "Medians, and in brackets the lowest and the highest of the rounds; the best\n"
        "of each row in bold. [What they mean](../README.md).\n\n"
        f"{table.long_table(result)}\n"
        "## Beside bare sockets, and greenstalk alone\n\n"
        f"{table.floor_table(result)}\n"
        "## Ratios of jobqueue to the best of the others, with their bounds\n\n"
        f"{ratios}\n"
        f"{_pictures([name for name in plots.PLOTS if name in drawn], 'plots')}"
    )


def _pictures(names: list[str], folder: str) -> str:
    return "".join(
        f"![{plots.PLOTS[name][0]}]({folder}/{name}.svg)\n\n" for name in names
    )
