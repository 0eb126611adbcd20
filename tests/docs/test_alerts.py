"""The page operating/alerts: each rule fires when it has to, asks for what there is."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jobqueue.worker.metrics import WorkerMetrics
from tests.docs.reference.metrics import names
from tests.helpers.optional_programs import check
from tests.helpers.pages import blocks, page

RULES, PROMETHEUS = blocks("operating/alerts", "yaml")
DASHBOARD: dict[str, Any] = json.loads(
    page("operating/alerts").with_name("grafana.json").read_text()
)
QUERIES = [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
EXPRESSIONS = [RULES, *QUERIES, DASHBOARD["templating"]["list"][1]["definition"]]

ENDED = 'jobqueue_jobs_total{tube="t",func_name="f",outcome='
OVERDUE = 'jobqueue_schedule_overdue_seconds{schedule="t/f"}'
IN_TUBE = 'jobqueue_tube_jobs{tube="t",state='
HEALTHY = {  # what is scraped in each minute of an hour, as promtool writes series
    "jobqueue_broker_up": "1x60",
    "jobqueue_jobs_running": "2x60",
    f'{ENDED}"done"}}': "0+60x60",
    f'{ENDED}"released"}}': "0+6x60",
    f'{ENDED}"lost"}}': "0x60",
    f'{IN_TUBE}"ready"}}': "2000x60",
    f'{IN_TUBE}"reserved"}}': "2x60",
    f'{IN_TUBE}"buried"}}': "0x60",
    OVERDUE: "0x57 60 120 0",
}
IDLE = {
    "jobqueue_jobs_running": "0x60",
    f'{ENDED}"done"}}': "0x60",
    f'{ENDED}"released"}}': "0x60",
    f'{IN_TUBE}"reserved"}}': "0x60",
}
CASES: Mapping[str, Mapping[str, str]] = {
    "": {},
    "JobqueueNoWorker": dict.fromkeys(HEALTHY, "_x60"),
    "JobqueueBrokerAway": {"jobqueue_broker_up": "0x60"},
    "JobqueueNothingRuns": IDLE,
    "JobqueueTubeFills": {f'{IN_TUBE}"ready"}}': "1000+100x60"},
    "JobqueueJobsBuried": {f'{IN_TUBE}"buried"}}': "1x60"},
    "JobqueueManyFail": {f'{ENDED}"released"}}': "0+60x60"},
    "JobqueueReservedByNobody": {f'{IN_TUBE}"reserved"}}': "3x60"},
    "JobqueueRunsTwice": {f'{ENDED}"lost"}}': "0x50 1x10"},
    "JobqueueScheduleOverdue": {
        OVERDUE: "0+60x60",
        OVERDUE.replace("{", '{instance="2",'): "0+60x60",
    },
}


def labels() -> dict[str, set[str]]:
    """Return the labels of each metric, by the names that queries have for it."""
    kinds = names()
    found = {}
    for metric in WorkerMetrics(list, int).describe():
        for name in (metric.name, f"{metric.name}_total", f"{metric.name}_bucket"):
            found[name] = set(getattr(metric, "_labelnames", ()))
    assert kinds.keys() <= found.keys()
    return found


def test_what_is_asked_for() -> None:
    """Each metric and each label in a rule or on the dashboard exists."""
    known = labels()
    for expression in EXPRESSIONS:
        for name, matchers in re.findall(
            r"\b(jobqueue_\w+)(?:\{([^}]*)\})?", expression
        ):
            assert name in known, expression
            asked = set(re.findall(r'(\w+)(?==~?")', matchers))
            assert asked <= known[name], expression


def test_each_rule_is_tried() -> None:
    assert re.findall(r"- alert: (\w+)", RULES) == [name for name in CASES if name]


def test_runbooks() -> None:
    """Each alert names a section of the page about incidents."""
    headings = re.findall(
        r"^## (.*)$", page("operating/incidents").read_text(), re.MULTILINE
    )
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    named = re.findall(r"runbook: incidents.md#(\S+)", RULES)

    assert len(named) == len(CASES) - 1
    assert set(named) <= anchors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prometheus")
    for text in (RULES, PROMETHEUS):
        (folder / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    return folder


def test_configuration(folder: Path) -> None:
    assert "9 rules found" in check(
        "promtool", "check", "config", folder / "prometheus.yml"
    )


def test_alerts(folder: Path) -> None:
    """In each case the alert that is for it fires, and no other."""
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    tests = [
        {
            "name": alert,
            "interval": "1m",
            "input_series": [
                {"series": series, "values": values}
                for series, values in {**HEALTHY, **case}.items()
            ],
            "promql_expr_test": [
                {
                    "expr": firing,
                    "eval_time": "1h",
                    "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}]
                    if alert
                    else [],
                }
            ],
        }
        for alert, case in CASES.items()
    ]
    file = folder / "tests.yml"
    content = {"rule_files": ["jobqueue.rules.yml"], "tests": tests}
    file.write_text(json.dumps(content))  # which is YAML as well

    assert "SUCCESS" in check("promtool", "test", "rules", file)


def test_late_schedule(folder: Path) -> None:
    """An alert comes after two minutes, is one for all workers, and says how late."""
    name = "JobqueueScheduleOverdue"
    values = "0 60 120 0 180 1000000"  # in each minute
    alert = {
        "exp_labels": {"schedule": "t/f", "severity": "page"},
        "exp_annotations": {
            "summary": "t/f has been due for 11d 13h 46m 40s",
            "runbook": "incidents.md#nothing-runs",
        },
    }
    alerts: list[list[object]] = [[], [], [], [], [], [alert]]
    test = {
        "interval": "1m",
        "input_series": [
            {"series": OVERDUE.replace("{", f'{{instance="{n}",'), "values": values}
            for n in range(2)
        ],
        "alert_rule_test": [
            {"alertname": name, "eval_time": f"{minute}m", "exp_alerts": expected}
            for minute, expected in enumerate(alerts)
        ],
    }
    content = {"rule_files": ["jobqueue.rules.yml"], "tests": [test]}
    file = folder / "late.yml"
    file.write_text(json.dumps(content))

    assert "SUCCESS" in check("promtool", "test", "rules", file)


def test_queries_of_dashboard(folder: Path) -> None:
    """Prometheus can read each."""
    rules = [
        {
            "record": f"panel_{number}",
            "expr": query.replace("$__rate_interval", "5m").replace("$tube", ".*"),
        }
        for number, query in enumerate(QUERIES)
    ]
    file = folder / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert f"{len(QUERIES)} rules found" in check("promtool", "check", "rules", file)


def test_panels() -> None:
    """They have numbers and places of their own, in a grid of 24 columns."""
    panels = DASHBOARD["panels"]
    places = [tuple(sorted(panel["gridPos"].items())) for panel in panels]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(places)) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
