"""What an operator sees: metrics, health and readiness, on a port that is refused in words when it is taken."""

import json
import urllib.error
import urllib.request

import pytest

from app.errors import SettingsError
from app.observability import MetricKind, Metrics, MetricSpec, ObservabilityServer, Status

EVENTS = MetricSpec("riverrun_test_events_total", MetricKind.COUNTER, "Events, by outcome.", ("outcome",))
AGE = MetricSpec("riverrun_test_age_seconds", MetricKind.HISTOGRAM, "Age.")


def fetched(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:  # our own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_health_and_readiness_are_served_and_tell_the_truth() -> None:
    metrics = Metrics([EVENTS, AGE])
    metrics.counter(EVENTS, "accepted").inc(3)
    metrics.histogram(AGE).observe(0.02)
    with ObservabilityServer(
        0,
        "RIVERRUN_X",
        metrics.registry,
        health=lambda: Status(True, "3 events"),
        ready=lambda: Status(False, "recovering"),
    ) as server:
        status, text = fetched(server.port, "/metrics")
        assert status == 200
        assert 'riverrun_test_events_total{outcome="accepted"} 3.0' in text
        assert 'riverrun_test_age_seconds_bucket{le="0.02"} 1.0' in text
        assert fetched(server.port, "/healthz")[0] == 200
        status, text = fetched(server.port, "/readyz")
        assert (status, json.loads(text)) == (503, {"ok": False, "why": "recovering"})
        assert fetched(server.port, "/")[0] == 404
        with pytest.raises(SettingsError, match=rf"Port {server.port} is in use.*RIVERRUN_X"):
            ObservabilityServer(
                server.port,
                "RIVERRUN_X",
                metrics.registry,
                health=lambda: Status(True, ""),
                ready=lambda: Status(True, ""),
            )


def test_a_row_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="is a counter"):
        Metrics([EVENTS]).gauge(EVENTS, "accepted")
