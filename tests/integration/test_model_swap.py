"""Model versions swapped under a real model server on a real Kafka, while events flow.

`SWAPS=1000 pytest -s tests/integration/test_model_swap.py` is the long run that DECISIONS.md records.
"""

import json
import os
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import pytest

from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from tests.support.agents import agents
from tests.support.model_server import ModelServerProcess, model_server, offer
from tests.support.swapping import TITLES, Traffic, Versions, traffic

SWAPS: Final = int(os.environ.get("SWAPS", "60"))
ROUND: Final = min(50, SWAPS // 4)  # swaps
AT_ONCE: Final = 5
COLD_S: Final = 3.0  # what just started is slow, and not the swaps' doing


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


def swap(flow: Traffic, versions: Versions, names: "cycle[str]") -> float:
    """One version after the other, each once the one before it serves; how long that took."""
    started_s = time.monotonic()
    for number, name in zip(range(AT_ONCE), names, strict=False):
        flow.tell(versions.folder, name, f"swap {number}", now_ms=number)
        flow.flow_until(lambda name=name: flow.last == name, f"{name} did not serve", "swapping")  # type: ignore[misc]
    return time.monotonic() - started_s


def say(flow: Traffic, measured: list[dict[str, int]]) -> None:
    """One line of JSON: how many, what the server holds, and p50, p99 and the slowest from event to list in ms."""
    late = {kind: np.percentile(flow.after_ms(kind), (50, 99, 100)).tolist() for kind in ("calm", "swapping")}
    swaps, requests = AT_ONCE * (ROUND // AT_ONCE) * len(measured), len(flow.asked)
    sys.stdout.write(json.dumps({"swaps": swaps, "requests": requests, **measured[-1], "late_ms": late}) + "\n")
    sys.stdout.flush()


@pytest.mark.timeout(600 + 10 * SWAPS)
def test_swaps_under_load_drop_nothing_mix_nothing_and_leave_nothing_behind(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path
) -> None:
    address, names = kafka.access.bootstrap_servers, cycle((versions.unlike, versions.alike))
    offer(address, topics, TITLES)
    with (
        agents(address, topics, tmp_path / "agents") as worker,
        model_server(address, topics, versions.folder, tmp_path / "log") as server,
        traffic(address, topics, agents=True) as flow,
    ):
        worker.wait_ready()
        server.wait_ready()
        flow.flow(COLD_S)
        measured = []
        for _ in range(SWAPS // ROUND):  # calm and busy in turns: the machine's own moods hit both
            for _ in range(ROUND // AT_ONCE):
                flow.flow(swap(flow, versions, names) / 2, "calm")
            measured.append(held(server))
            say(flow, measured)
        flow.wait_answered()
        assert flow.mixed(versions) == []
        made_by = {each.lists.model_version for own in flow.answers.values() for each in own}
        assert made_by == {versions.alike, versions.unlike}
        assert server.metric("riverrun_model_swaps_total") == AT_ONCE * (ROUND // AT_ONCE) * len(measured)
        assert server.metric("riverrun_model_info") == 1  # of the one that serves, and of no other
        first, last = measured[0], measured[-1]
        assert last["files"] <= first["files"] + 8  # of a version that still ends
        assert last["threads"] <= first["threads"] + 4
        assert last["memory_mb"] <= first["memory_mb"] + 100
