"""The dashboard and the alert rules as an operator gets them, read for tests."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from app.gateway.metrics import TABLE as GATEWAY_METRICS
from app.observability import MetricKind, MetricSpec
from model_server.learning.metrics import TABLE as LEARNER_METRICS
from model_server.metrics import TABLE as MODEL_SERVER_METRICS
from stream_agents.metrics import METRICS as AGENTS_METRICS
from tests.support.process import REPOSITORY

INFRA: Final = REPOSITORY / "infra"
METRICS: Final[dict[str, MetricSpec]] = {
    spec.name: spec for spec in (*AGENTS_METRICS, *MODEL_SERVER_METRICS, *LEARNER_METRICS, *GATEWAY_METRICS)
}
_METRIC: Final = re.compile(r"\briverrun_\w+")
_HISTOGRAM_SERIES: Final = re.compile(r"_(bucket|sum|count)$")


@dataclass(frozen=True, slots=True)
class Query:
    """One expression of a panel, and how its lines are called."""

    panel: str
    expression: str
    legend: str

    def over(self, window_s: int) -> str:
        """The expression as Grafana sends it for that window."""
        return self.expression.replace("$__rate_interval", f"{window_s}s")


def dashboard() -> dict[str, Any]:
    """The dashboard that Grafana is given."""
    content: dict[str, Any] = json.loads((INFRA / "grafana" / "dashboards" / "riverrun.json").read_text())
    return content


def panels() -> list[dict[str, Any]]:
    """Its panels, rows left out."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[Query]:
    """Every query of every panel."""
    return [
        Query(panel["title"], target["expr"], target.get("legendFormat", ""))
        for panel in panels()
        for target in panel["targets"]
    ]


def alert_rules() -> list[dict[str, Any]]:
    """Every rule of Prometheus."""
    groups = yaml.safe_load((INFRA / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def unknown_metrics(expression: str) -> list[str]:
    """Series in an expression that no process exports, by the tables of the processes."""
    return [name for name in _METRIC.findall(expression) if not _is_exported(name)]


def metrics_in(expression: str) -> list[MetricSpec]:
    """The metrics that an expression reads."""
    found = (METRICS.get(name) or METRICS.get(_HISTOGRAM_SERIES.sub("", name)) for name in _METRIC.findall(expression))
    return [spec for spec in found if spec is not None]


def _is_exported(series: str) -> bool:
    """A histogram is exported as three series, and never under its own name."""
    spec = METRICS.get(series)
    if spec is not None:
        return spec.kind is not MetricKind.HISTOGRAM
    spec = METRICS.get(_HISTOGRAM_SERIES.sub("", series))
    return spec is not None and spec.kind is MetricKind.HISTOGRAM
