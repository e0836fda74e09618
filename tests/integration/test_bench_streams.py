"""The benches on a real Kafka, tiny: their numbers mean nothing here, but every result in them was checked."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from app.bench.contestants import riverrun
from app.bench.java_peer import find_javac
from app.bench.race import WrongResult, race
from app.bench.traffic import Visitors, draw_events
from app.kafka.resolver import ResolvedKafka


def bench(kafka: ResolvedKafka, *arguments: str) -> dict[str, object]:
    """The JSON object on the last line of a bench."""
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli.main", "bench", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": kafka.access.bootstrap_servers},
    )
    assert ran.returncode == 0, ran.stderr
    values: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return values


def test_ingest_races_everybody_who_can_run_here(kafka: ResolvedKafka) -> None:
    # Several fetches of 1 MiB of each partition: else all output may be there in one moment, with nothing to time.
    values = bench(kafka, "ingest", "--events", "100000", "--users", "500", "--rounds", "1")

    def speed(name: str) -> object:
        return values[f"{name}_events_per_s"]

    assert speed("riverrun")
    assert speed("riverrun_one_process")
    assert speed("faust_per_event")
    for costs in ("cpu_us_per_event", "broker_cpu_us_per_event"):
        told = values[costs]
        assert isinstance(told, dict)
        if costs == "cpu_us_per_event" or kafka.kind == "local":  # another broker may be out of sight
            assert {"riverrun", "riverrun_one_process", "faust_per_event"} <= told.keys()
            assert all(cost > 0 for cost in told.values())
    assert (speed("kafka_streams") is not None) == (find_javac(os.environ) is not None)
    assert (speed("quix") is not None) == (importlib.util.find_spec("quixstreams") is not None)


def test_recovery_restores_every_user_once(kafka: ResolvedKafka) -> None:
    values = bench(kafka, "recovery", "--users", "5000", "--rounds", "1")

    assert values["users"] == 5_000
    for key in ("users_per_s", "ratio_floor", "seconds_local_disk", "seconds_from_changelog"):
        assert isinstance(values[key], float)


def test_scale_measures_one_worker_and_two(kafka: ResolvedKafka) -> None:
    values = bench(kafka, "scale", "--workers", "1,2", "--users", "2000", "--events", "60000", "--rounds", "1")

    points = values["points"]
    assert isinstance(points, list)
    assert [(point["workers"], point["users"]) for point in points] == [(1, 2_000), (2, 2_000)]
    assert all(point["events_per_s"] > 0 and point["rss_mb"] > 50 for point in points)


def test_a_contestant_whose_result_is_wrong_gets_no_time(kafka: ResolvedKafka) -> None:
    logs = draw_events(Visitors.of(100, 4), 4_000, np.random.default_rng(1))
    forgetful = dataclasses.replace(riverrun(), read=lambda value: riverrun().read(value)[1:])

    with pytest.raises(WrongResult, match="100 of 100 users have the wrong list"):
        race(forgetful, kafka.access, logs, 1_000)
