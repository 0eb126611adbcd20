"""The pages of the reference, and the tables in each.

A table stands between two comments, and all else on the page is written by hand:

    <!-- begin: NAME (python -m tests.docs.reference) -->
    <!-- end -->
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs.reference import api, commands, errors, log, metrics, options
from tests.helpers.paths import ROOT

REFERENCE = ROOT / "docs" / "reference"
COMMAND = "python -m tests.docs.reference"

Tables = Mapping[str, Callable[[], str]]

PAGES: Mapping[Path, Tables] = {
    REFERENCE / "api.md": {"contents": api.contents, "api": api.api},
    REFERENCE / "api-operating.md": {"api": api.operating},
    REFERENCE / "api-testing.md": {"api": api.testing},
    REFERENCE / "options.md": {"options": options.options},
    REFERENCE / "commands.md": {
        "contents": commands.contents,
        "jobqueue": commands.jobqueue,
        "filters": commands.filters,
        "common": commands.common,
        "overview": commands.overview,
        "devserver": commands.devserver,
    },
    REFERENCE / "worker.md": {"worker": commands.worker},
    REFERENCE / "log-keys.md": {"keys": log.key_table, "lines": log.line_table},
    REFERENCE / "metrics.md": {
        "metrics": metrics.metrics,
        "outcomes": metrics.outcomes,
        "states": metrics.states,
        "bounds": metrics.bounds,
    },
    REFERENCE / "errors.md": {"places": errors.places, "errors": errors.sections},
}


def with_tables(page: str, tables: Tables) -> str:
    """Return a page with its tables as they are now."""
    for name, table in tables.items():
        begin, end = f"<!-- begin: {name} ({COMMAND}) -->\n", "<!-- end -->\n"
        before, found, rest = page.partition(begin)
        if not found:
            raise LookupError(f"the page has no place for {name}: {begin}{end}")
        page = f"{before}{begin}\n{table()}\n{end}{rest.partition(end)[2]}"
    return page
