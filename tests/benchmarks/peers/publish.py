"""Writing results: plots, and the tables of a file, of a page and of the README."""

from pathlib import Path

from tests.benchmarks.peers import plots, table
from tests.benchmarks.peers.claims import verdicts
from tests.benchmarks.peers.result import Result
from tests.benchmarks.peers.stage import ROOT

HERE = Path(__file__).parent
BEGIN, END = "<!-- benchmarks: begin -->\n", "<!-- benchmarks: end -->\n"
PAGE = ROOT / "docs/why/benchmarks.md"
README = ROOT / "README.md"
SHOWN = ("work", "latency", "memory")  # in the page; the rest with all the figures
TESTS = "../../tests/benchmarks"  # from the page


def publish(result: Result) -> None:
    """Write results into this folder, and their short forms where people look."""
    result.write(HERE / "results.json")
    written = {path.stem for path in plots.write_all(result, HERE / "plots")}
    (HERE / "RESULTS.md").write_text(full(result, written))
    PAGE.write_text(inserted(PAGE.read_text(), section(result, written)))
    README.write_text(inserted(README.read_text(), table.readme_table(result)))


def inserted(page: str, text: str) -> str:
    """Put a text between the markers of a page, in place of the one before."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no markers for the benchmarks")
    return f"{before}{BEGIN}{text}{END}{after}"


def section(result: Result, drawn: set[str]) -> str:
    """Return the text of the page about benchmarks."""
    pictures = _pictures(
        [name for name in SHOWN if name in drawn], f"{TESTS}/peers/plots"
    )
    return (
        "jobqueue on beanstalkd, the others on redis, each in its documented way with\n"
        "results off. Medians of "
        f"{result.sizes['rounds']} rounds; the best of each row in bold.\n\n"
        f"{table.short_table(result)}\n"
        f"{pictures}"
        f"{table.environment(result)} Measured by `{result.command}`.\n"
        f"[All figures]({TESTS}/peers/RESULTS.md), and\n"
        f"[what they mean and how they were made]({TESTS}/README.md).\n"
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
