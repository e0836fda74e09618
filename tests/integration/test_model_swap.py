"""Model versions swapped under a real model server on a real Kafka, while requests flow.

`SWAPS=1000 pytest -s tests/integration/test_model_swap.py` is the long run that DECISIONS.md records.
"""

import json
import os
import sys
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import pytest

from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from tests.support.model_server import ModelServerProcess, model_server, offer
from tests.support.swapping import TITLES, Traffic, Versions, traffic

SWAPS: Final = int(os.environ.get("SWAPS", "60"))
ROUNDS: Final = 4
CALM_S: Final = 1.0 + SWAPS / 100  # about half as long as a round of swaps on a quiet machine


def held(server: ModelServerProcess) -> dict[str, int]:
    """What a swap must give back."""
    process = psutil.Process(server.process.pid)
    with process.oneshot():
        memory_mb = process.memory_info().rss >> 20
        used = process.cpu_times()
        return {
            "memory_mb": memory_mb,
            "files": process.num_fds(),
            "threads": process.num_threads(),
            "cpu_ms": int(1_000 * (used.user + used.system)),
        }


def swap(flow: Traffic, versions: Versions, names: "cycle[str]", times: int) -> None:
    """One version after the other, each once the one before it serves."""
    for number, name in zip(range(times), names, strict=False):
        flow.tell(versions.folder, name, f"swap {number}", now_ms=number)
        flow.flow_until(lambda name=name: flow.last == name, f"{name} did not serve", "swapping")  # type: ignore[misc]


def percentiles(flow: Traffic, kind: str) -> list[float]:
    return [float(each) for each in np.percentile(flow.after_ms(kind), (50, 99, 100))]


@pytest.mark.timeout(600 + 10 * SWAPS)
def test_swaps_under_load_drop_nothing_mix_nothing_and_leave_nothing_behind(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path
) -> None:
    address, names = kafka.bootstrap_servers, cycle((versions.unlike, versions.alike))
    offer(address, topics, TITLES)
    with (
        model_server(address, topics, versions.folder, tmp_path / "log") as server,
        traffic(address, topics) as flow,
    ):
        server.wait_ready()
        measured = []
        for _ in range(ROUNDS):  # calm and busy in turns: the machine's own moods hit both
            flow.flow(CALM_S, "calm")
            swap(flow, versions, names, SWAPS // ROUNDS)
            measured.append(held(server))
        flow.wait_answered()
        assert flow.mixed(versions) == []
        assert {each.lists.model_version for own in flow.answers.values() for each in own} == {
            versions.alike,
            versions.unlike,
        }
        assert server.metric("riverrun_model_swaps_total") == SWAPS // ROUNDS * ROUNDS
        assert server.metric("riverrun_model_info") == 1  # of the one that serves, and of no other
        first, last = measured[0], measured[-1]
        assert last["files"] <= first["files"] + 8  # of a version that still ends
        assert last["threads"] <= first["threads"] + 4
        assert last["memory_mb"] <= first["memory_mb"] + 100
        figures = {
            "swaps": SWAPS, "requests": len(flow.asked), "held": measured,
            "calm_ms": percentiles(flow, "calm"), "swapping_ms": percentiles(flow, "swapping"),
        }  # fmt: skip
        sys.stdout.write(json.dumps(figures) + "\n")
