"""The benchmarks beside the peers: tables and plots of figures, and a quick run."""

import dataclasses
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.peers import plots, process_tree, publish, table
from tests.benchmarks.peers.claims import Verdict, verdicts
from tests.benchmarks.peers.drain import Drain
from tests.benchmarks.peers.measure_latency import percentile
from tests.benchmarks.peers.measures import BY_NAME
from tests.benchmarks.peers.result import Figure, Notebook, Result
from tests.benchmarks.peers.table import number
from tests.helpers.paths import ROOT
from tests.helpers.servers import eventually, eventually_true, require_beanstalkd

FIXTURE = Path(__file__).parent / "peers/example.json"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def result() -> Result:
    """Return made-up figures."""
    return Result.read(FIXTURE)


@pytest.fixture
def published() -> Result:
    """Return the figures that docs/why/benchmarks.md and the README show."""
    return Result.read(publish.HERE / "results.json")


def verdict(result: Result, title: str) -> Verdict:
    (found,) = [v for v in verdicts(result) if v.text == title]
    return found


def test_result_is_saved(result: Result, tmp_path: Path) -> None:
    result.write(tmp_path / "copy.json")

    assert result == Result.read(tmp_path / "copy.json")


def test_notebook() -> None:
    book = Notebook()
    book.add("put", "RQ", 1)
    book.remark("put_many", "Huey", "none")
    book.add("put", "RQ", 2)

    assert book.figures() == (
        Figure("put", "RQ", (1, 2)),
        Figure("put_many", "Huey", (), "none"),
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23")],
)
def test_number(value: float, expected: str) -> None:
    """It has three significant digits."""
    assert expected == number(value)


def test_best_is_bold(result: Result) -> None:
    lines = table.short_table(result).splitlines()

    assert lines[0] == "|  | jobqueue | RQ | Huey |"
    assert "| puts, one by one, puts/s | **9,000** | 2,000 | 5,000 |" in lines
    assert "| memory, 10 workers, idle, MB | 150 | 140 | **100** |" in lines


def test_notes(result: Result) -> None:
    text = table.short_table(result)

    assert "| puts, in bulk, puts/s | **90,000** | 10,000 | none |" in text
    assert "200¹" in text
    assert text.endswith("\n¹ estimated from what was done in 15 s.\n")


def test_long_table(result: Result) -> None:
    assert "**9,000** (8,000 to 9,500)" in table.long_table(result)
    assert "| import greenstalk | 30.0 ms | 29.0 to 31.0 |" in table.floor_table(result)


def test_ratio(result: Result) -> None:
    put = verdict(result, "puts, one by one")

    assert (put.ratio, put.beside, put.is_kept) == (1.8, "Huey's", True)
    assert str(put).startswith("pass")


def test_ratio_without_bulk(result: Result) -> None:
    bulk = verdict(result, "puts, in bulk")

    assert (bulk.ratio, bulk.beside, bulk.is_kept) == (9, "RQ's", True)


def test_missed_ratio(result: Result) -> None:
    memory = verdict(result, "memory, 10 workers, idle")

    assert str(memory).startswith("FAIL ")
    assert str(memory).endswith(
        " memory, 10 workers, idle: 1.50 x Huey's, must be <= 0.7 x"
    )


@pytest.mark.parametrize(("own", "is_kept"), [(0.0, True), (0.1, False)])
def test_ratio_of_zeros(result: Result, own: float, *, is_kept: bool) -> None:
    idle = (Figure("idle_cpu", "jobqueue", (own,)), Figure("idle_cpu", "RQ", (0.0,)))
    result = dataclasses.replace(result, figures=idle)

    assert verdict(result, "CPU in 30 s, 1 worker, idle").is_kept == is_kept


def test_ratio_without_a_figure(result: Result) -> None:
    assert verdict(result, "no-op jobs, 2 workers").is_kept is None


def test_import_time(result: Result) -> None:
    """It is compared with greenstalk and with the peers."""
    first, second = (v for v in verdicts(result) if v.text == "import")

    assert (first.ratio, first.beside, first.is_kept) == (2, "import greenstalk", True)
    assert (second.beside, second.is_kept) == ("Huey's", True)


def test_bars_and_whiskers(result: Result, tmp_path: Path) -> None:
    written = plots.write_all(result, tmp_path)

    assert [path.name for path in written] == [
        "put.svg",
        "work.svg",
        "latency.svg",
        "memory.svg",
        "start.svg",
    ]
    picture = ET.fromstring((tmp_path / "put.svg").read_text())
    bars = [r for r in picture.iter(f"{SVG}rect") if r.get("class") in {"own", "peer"}]
    assert len(bars) == 5  # Huey has no bulk
    assert len(list(picture.iter(f"{SVG}path"))) == 1  # the others have no spread
    assert "prefers-color-scheme: dark" in (tmp_path / "put.svg").read_text()


def test_bars_fit(result: Result) -> None:
    for measure in ("put", "p50"):
        figures = tuple(result.figure(measure, name) for name in result.libraries[:3])
        panel = plots.Panel(BY_NAME[measure], "", figures)
        lengths = [panel.length(value) for f in figures for value in f.rounds]

        assert max(lengths) == plots.BARS
        assert min(lengths) > 0


def test_published_files(published: Result, tmp_path: Path) -> None:
    """They are what the saved figures give."""
    drawn = {
        path.stem: path.read_text() for path in plots.write_all(published, tmp_path)
    }
    pictures = (publish.HERE / "plots").iterdir()
    page, readme = publish.PAGE.read_text(), publish.README.read_text()

    assert {path.stem: path.read_text() for path in pictures} == drawn
    assert publish.inserted(page, publish.section(published, set(drawn))) == page
    assert publish.inserted(readme, table.readme_table(published)) == readme
    all_figures = (publish.HERE / "RESULTS.md").read_text()
    assert all_figures == publish.full(published, set(drawn))


def test_notes_fit(published: Result, tmp_path: Path) -> None:
    notes = [figure.note for figure in published.figures]
    assert "does not keep up with 100 jobs/s" in notes

    for path in plots.write_all(published, tmp_path):
        for text in ET.fromstring(path.read_text()).iter(f"{SVG}text"):
            if text.get("text-anchor") != "end":
                width = 7 * len("".join(text.itertext()))  # in a wide sans-serif
                assert float(text.attrib["x"]) + width <= plots.WIDTH


def test_section_is_replaced() -> None:
    page = f"# Title\n\n{publish.BEGIN}old\n{publish.END}\nText.\n"

    assert publish.inserted(page, "new\n") == page.replace("old", "new")


def test_page_without_markers() -> None:
    with pytest.raises(ValueError, match="no markers"):
        publish.inserted("# Title\n", "new\n")


def test_section_names_the_machine(result: Result) -> None:
    text = publish.section(result, {"work"})

    assert "A processor, 2 cores" in text
    assert "rq 3.0.0" in text
    assert "`python -m tests.benchmarks.peers`" in text
    assert "(../../tests/benchmarks/peers/plots/work.svg)" in text
    assert "## Beside bare sockets, and greenstalk alone" in publish.full(
        result, {"work"}
    )


def test_steady_rate() -> None:
    drain = Drain(100, 10.0, ((12.0, 1), (13.0, 25), (14.0, 100)))

    assert drain.rate(0.25) == 75
    assert drain.total(75) == 4


def test_unfinished_drain() -> None:
    drain = Drain(100, 0.0, ((1.0, 10), (2.0, 20)))

    assert not drain.is_complete
    assert drain.total(drain.rate(0.25)) == 2 + 80 / 10


def test_percentile() -> None:
    values = [float(number) for number in range(1, 1001)]

    assert [percentile(values, part) for part in (0.5, 0.99, 0.999)] == [500, 990, 999]


linux = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="/proc")


@contextmanager
def tree(code: str) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", f"import os, time; {code}; time.sleep(60)"],
        start_new_session=True,
    ) as process:
        yield process.pid
        process_tree.kill(process.pid)


@linux
def test_shared_memory() -> None:
    fill = "data = bytearray(os.urandom(1)) * 50_000_000"
    with tree(fill) as alone, tree(f"{fill}; os.fork()") as forked:
        eventually(lambda: len(process_tree.pids(forked)), 2)
        eventually_true(lambda: process_tree.memory(alone) > 50)
        one, two = process_tree.memory(alone), process_tree.memory(forked)

    assert 50 < one < 90
    assert 50 < two < 90  # not twice as much


@linux
def test_cpu_of_ended_children() -> None:
    burn = "[None for _ in iter(lambda: time.process_time() < 0.3, False)]"
    with tree(f"pid = os.fork(); pid or ({burn}, os._exit(0)); os.wait()") as session:
        eventually_true(lambda: process_tree.cpu(session) > 0.25)
        eventually(lambda: len(process_tree.pids(session)), 1)

        # It counts as soon as its parent has waited for it.
        eventually_true(lambda: process_tree.cpu(session) > 0.25)


@pytest.mark.thorough
def test_quick_run(tmp_path: Path) -> None:
    require_beanstalkd()
    started = time.time()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks.peers", "--quick"),
            *("--libraries", "jobqueue", "--python", "current"),
            *("--only", "put,work,latency,floors,backlog", "--output", tmp_path),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert "FAILED" not in done.stdout
    saved = Result.read(tmp_path / "results.json")
    assert saved.command.endswith(
        "--only put,work,latency,floors,backlog --libraries jobqueue --quick"
    )
    for measure in ("put", "put_many", "rate_1", "rate_2", "rate_10", "p50"):
        assert saved.median(measure, "jobqueue"), measure
    assert saved.median("floor_work_pipelined", "floor")
    assert (tmp_path / "plots/work.svg").stat().st_mtime >= started
