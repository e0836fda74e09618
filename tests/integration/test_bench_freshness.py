"""Freshness through everything, briefly: its numbers mean little here, but every event must get its list."""

import json
import os
import subprocess
import sys

import pytest

from app.kafka.resolver import ResolvedKafka


@pytest.mark.timeout(900)  # a machine that has never run it fetches data and trains the model first
def test_freshness_measures_each_rate_and_80_percent_of_saturation(kafka: ResolvedKafka) -> None:
    options = ("--rates", "50,200", "--seconds", "1", "--rounds", "2", "--json")
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli.main", "bench", "freshness", *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": kafka.access.bootstrap_servers},
    )
    assert ran.returncode == 0, ran.stderr
    values = json.loads(ran.stdout.splitlines()[-1])

    *fixed, saturated = values["rates"]
    assert [(rate["events_per_s"], rate["events"]) for rate in fixed] == [(50, 100), (200, 400)]
    assert saturated["events_per_s"] == pytest.approx(0.8 * values["saturation_events_per_s"], abs=1)
    for rate in values["rates"]:
        assert 0 < rate["p50_ms"] <= rate["p95_ms"] <= rate["p99_ms"]
        assert rate["ratio_p50"] == pytest.approx(rate["p50_ms"] / rate["floor_p50_ms"], abs=0.01)
