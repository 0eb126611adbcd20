"""The table of a long campaign in the README."""

from tests.helpers.paths import README

from .ledger import Verdict

BEGIN = "<!-- Made by python -m tests.faults: -->"
END = "<!-- End of what it has made. -->"


def table(verdict: Verdict) -> str:
    """Return the results of a campaign as a Markdown table."""
    kinds = ", ".join(
        f"{name.replace('-', ' ')} {count:,}"
        for name, count in verdict.faults.most_common()
    )
    rows = [
        ("faults injected", f"{verdict.faults.total():,}: {kinds}"),
        ("jobs whose put was confirmed", f"{verdict.put:,}"),
        ("of these ran", f"{verdict.ran:,}"),
        ("were found buried", f"{verdict.buried:,}"),
        ("of these destroyed, by beanstalkd itself", f"{verdict.destroyed:,}"),
        ("ran more than once", f"{verdict.duplicated:,}, each by a fault"),
        ("**lost**", f"**{len(verdict.lost)}**"),
        ("puts that failed, so that nobody knows", f"{verdict.unconfirmed:,}"),
        ("ran, but never put", f"{len(verdict.strangers)}"),
    ]
    lines = [
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in rows),
    ]
    return "\n".join(lines)


def write(text: str) -> None:
    """Write the table into the README, in place of the one before."""
    before, begin, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin
    assert end
    README.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
