"""Alerts that look back, asked by Prometheus's own promtool what they say after restarts and hours of growth."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support.dashboard import alert_rules

PROMTOOL: Final = shutil.which("promtool")
GROWS, FALLS, STANDS = "0+300x300", "90000-300x290", "1500x300"

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="no promtool on the PATH")


@dataclass(frozen=True, slots=True)
class Case:
    """`series` by what is measured, in promtool's notation: a value a minute; when the rule `fires`, in minutes."""

    alert: str
    series: Mapping[str, str]
    fires: Mapping[int, bool]


def letters(worker: str, reason: str = "schema") -> str:
    return f'riverrun_dead_letters_total{{instance="{worker}",reason="{reason}"}}'


def unreadable(gateway: str) -> str:
    return f'riverrun_gateway_unreadable_total{{instance="{gateway}",topic="recommendations"}}'


def lists(kept: str, stale: str) -> dict[str, str]:
    return {
        'riverrun_gateway_lists_total{instance="a"}': kept,
        'riverrun_gateway_lists_stale_total{instance="a"}': stale,
    }


LOOKING_BACK: Final[dict[str, tuple[str, dict[int, bool]]]] = {
    "the first one": ("_x10 1x40", {9: False, 11: True, 19: True, 22: False}),
    "one after a restart": ("50x20 stale 1x40", {20: False, 23: True, 35: False}),
    "one long after a restart": ("50x20 stale _x30 1x40", {20: False, 40: False, 53: True, 65: False}),
    "one more": ("50x20 51x40", {20: False, 22: True, 35: False}),
    "none": ("50x60", {30: False, 59: False}),
}

CASES = [
    *(
        pytest.param(Case(alert, {measured: values}, fires), id=f"{alert}: {name}")
        for alert, measured in (("RiverrunDeadLetters", letters("a")), ("RiverrunUnreadable", unreadable("a")))
        for name, (values, fires) in LOOKING_BACK.items()
    ),
    pytest.param(
        Case(
            "RiverrunDeadLetters", {letters("a"): "7x60", letters("b"): "_x30 1x30"}, {25: False, 31: True, 45: False}
        ),
        id="RiverrunDeadLetters: the first one of a worker, of a reason that another worker has had",
    ),
    *(
        pytest.param(Case(alert, {measured: values}, fires), id=f"{alert}: {values}")
        for alert, measured in (
            ("RiverrunEventsLagGrows", 'riverrun_lag_events{instance="a",partition="0"}'),
            ("RiverrunScoringLagGrows", 'riverrun_score_requests_lag{instance="a",partition="0"}'),
            ("RiverrunGatewayBehind", 'riverrun_gateway_lag_messages{instance="a",topic="recommendations"}'),
        )
        for values, fires in (
            (GROWS, {3: False, 15: True, 60: True, 290: True}),
            (FALLS, {15: False, 60: False, 290: False}),
            (STANDS, {15: False, 290: False}),
        )
    ),
    pytest.param(Case("RiverrunListsStale", lists("0+60x60", "0x60"), {30: False, 59: False}), id="all lists are news"),
    pytest.param(Case("RiverrunListsStale", lists("0+60x60", "0+3x60"), {30: False}), id="few come twice"),
    pytest.param(Case("RiverrunListsStale", lists("0x60", "0+60x60"), {5: False, 30: True}), id="none is news"),
]


@pytest.mark.parametrize("case", CASES)
def test_an_alert_fires_when_it_should(case: Case, tmp_path: Path) -> None:
    [rule] = [
        {key: each[key] for key in ("alert", "expr", "for") if key in each}
        for each in alert_rules()
        if each["alert"] == case.alert
    ]
    asked = [
        {
            "expr": 'count(ALERTS{alertstate="firing"}) or vector(0)',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": int(fires)}],
        }
        for minute, fires in case.fires.items()
    ]
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": asked}
    # JSON is YAML.
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "one", "rules": [rule]}]}))
    (tmp_path / "test.yml").write_text(
        json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "30s", "tests": [test]})
    )
    told = subprocess.run(
        [PROMTOOL or "", "test", "rules", tmp_path / "test.yml"], check=False, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout + told.stderr
