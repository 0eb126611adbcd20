"""The table of a long campaign in docs/why/proofs.md."""

from collections.abc import Callable, Mapping

from tests.helpers.paths import DOCS

from .repetitions import Cause
from .verdict import Reason, Verdict

BEGIN = "<!-- Made by python -m tests.faults: -->"
END = "<!-- End of what it has made. -->"
PAGE = DOCS / "why/proofs.md"


def _kinds(verdict: Verdict) -> str:
    return ", ".join(
        f"{name.replace('-', ' ')} {count:,}"
        for name, count in verdict.faults.most_common()
    )


def _commands(verdict: Verdict) -> str:
    names = sorted({name for name, _ in verdict.commands})
    totals = {
        name: sum(n for (other, _), n in verdict.commands.items() if other == name)
        for name in names
    }
    return ", ".join(f"{name} {count:,}" for name, count in totals.items())


def _buried_for(reason: Reason) -> Callable[[Verdict], str]:
    return lambda verdict: f"{verdict.reasons[reason]:,}"


def _run_for(cause: Cause) -> Callable[[Verdict], str]:
    return lambda verdict: f"{verdict.causes[cause]:,}"


ROWS: Mapping[str, Callable[[Verdict], str]] = {
    "faults injected": lambda v: f"{v.faults.total():,}: {_kinds(v)}",
    "of these hit a process that was running jobs": lambda v: f"{v.busy:,}",
    "the load of the machine meanwhile, on average": lambda v: f"{v.load:.1f}",
    "moments in which a process or the broker was held up or frozen": lambda v: (
        f"{v.hold_ups:,}, of {v.longest_hold_up:.1f} s at most"
    ),
    "the operator's commands meanwhile": _commands,
    "jobs whose put was confirmed": lambda v: f"{v.put:,}",
    "of these ended well": lambda v: f"{v.ended:,}",
    "or failed for good, and were found buried": lambda v: f"{v.buried:,}",
    "or failed for good after their last kick, and were deleted": lambda v: (
        f"{v.deleted:,}"
    ),
    "or were destroyed by beanstalkd itself, with a file of its binlog": lambda v: (
        f"{v.vanished:,}"
    ),
    "**or were lost**": lambda v: f"**{len(v.lost)}**",
    "found buried, as their task failed for good": _buried_for(Reason.FAILED),
    "found buried, as their workers were lost too often": _buried_for(Reason.LOST),
    "of these, whose workers were lost before or after a run, not in it": lambda v: (
        f"{v.innocent:,}"
    ),
    "found buried, as beanstalkd itself destroyed the body": _buried_for(
        Reason.DESTROYED
    ),
    "found buried for no reason": lambda v: f"{len(v.unexplained_burials)}",
    "ran more often than they had to": lambda v: f"{v.duplicated:,}",
    "as a fault hit the worker or the broker": _run_for(Cause.FAULT),
    "as a fault hit the put, which was made again": _run_for(Cause.PUT),
    "as an import put the job again": _run_for(Cause.IMPORT),
    "as the machine held up the worker longer than the time to run": _run_for(
        Cause.EXPIRY
    ),
    "for no reason": lambda v: f"{len(v.unexplained_runs)}",
    "puts that failed: nobody knows whether the job was put": lambda v: (
        f"{v.unconfirmed:,}"
    ),
    "ran, but were never put": lambda v: f"{len(v.strangers)}",
}


def table(verdicts: Mapping[str, Verdict]) -> str:
    """Return the results of a campaign on each beanstalkd as a Markdown table."""
    lines = [
        "| | " + " | ".join(f"beanstalkd {version}" for version in verdicts) + " |",
        "| --- |" + " --- |" * len(verdicts),
    ]
    for name, value in ROWS.items():
        values = " | ".join(value(verdict) for verdict in verdicts.values())
        lines.append(f"| {name} | {values} |")
    return "\n".join(lines)


def write(text: str) -> None:
    """Write the table into its page, in place of the one before."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin
    assert end
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
