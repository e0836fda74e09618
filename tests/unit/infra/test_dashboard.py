"""What an operator looks at: only metrics that are exported, and a form that Grafana takes."""

import re
from typing import Any

import pytest
import yaml

from tests.support.dashboard import INFRA, Query, alert_rules, dashboard, metrics_in, panels, queries, unknown_metrics
from tests.support.process import REPOSITORY

WIDTH = 24
FROM_PROMETHEUS = {"job", "instance", "le"}
ALERTS = alert_rules()


def grouped_by(expression: str) -> set[str]:
    """The labels that the expression sums by."""
    return {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(",")}


@pytest.mark.parametrize("query", queries(), ids=lambda query: f"{query.panel}: {query.legend}")
def test_every_query_reads_metrics_that_the_processes_export(query: Query) -> None:
    assert unknown_metrics(query.expression) == []
    labels = {label for spec in metrics_in(query.expression) for label in spec.labels} | FROM_PROMETHEUS
    assert grouped_by(query.expression) <= labels
    assert set(re.findall(r"{{(\w+)}}", query.legend)) <= grouped_by(query.expression)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_reads_metrics_that_the_processes_export_and_is_explained(rule: dict[str, Any]) -> None:
    assert unknown_metrics(rule["expr"]) == []
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert f"`{rule['alert']}`" in (REPOSITORY / "docs" / "operations.md").read_text()


def test_what_the_issue_asks_for_is_on_it() -> None:
    shown = {spec.name for query in queries() for spec in metrics_in(query.expression)}
    assert shown >= {
        "riverrun_event_to_recommendation_seconds", "riverrun_events_read_total", "riverrun_lag_events",
        "riverrun_score_requests_lag", "riverrun_batch_events", "riverrun_score_batch_users",
        "riverrun_fallback_users_total", "riverrun_dead_letters_total", "riverrun_gateway_streams",
        "riverrun_gateway_request_seconds",
    }  # fmt: skip


def test_grafana_can_provision_it() -> None:
    board, provider = dashboard(), yaml.safe_load((INFRA / "grafana/provisioning/dashboards/riverrun.yml").read_text())
    assert (board["id"], board["uid"], board["title"]) == (None, "riverrun", "riverrun")
    assert isinstance(board["schemaVersion"], int)
    assert provider["apiVersion"] == 1
    [source] = yaml.safe_load((INFRA / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    for panel in panels():
        assert panel["type"] in ("timeseries", "stat", "table")
        assert panel["description"]
        for asking in (panel, *panel["targets"]):
            assert asking["datasource"] == {"type": source["type"], "uid": source["uid"]}
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references))


def test_no_panel_lies_on_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    identities = [panel["id"] for panel in dashboard()["panels"]]
    assert len(identities) == len(set(identities))
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= WIDTH
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]
