"""Stateful events a second of the stream agents, against other stream processors at the same job.

On one broker in one run, one after the other, in rounds; the order turns from round to round, and the median of the
rounds counts. Every result is checked before its time is believed. A race before the first round is not counted: a
fresh broker, which compiles itself, costs several times as much an event as one that has been at work.
"""

import importlib.util
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from msgspec import Struct, to_builtins

from app.bench.contestants import (
    STREAM_THREADS,
    Contestant,
    faust_per_event,
    kafka_streams,
    peers_folder,
    quix_streams,
    riverrun,
)
from app.bench.java_peer import java_peer
from app.bench.race import Finish, race
from app.bench.traffic import ACTIVITY_SIGMA, Visitors, draw_events, head_of
from app.bench.turns import turned
from app.kafka.resolver import resolve_kafka
from app.kafka.topics import load_topics
from app.settings import Settings

RIVERRUN: Final = "riverrun"
ONE_PROCESS: Final = "riverrun_one_process"
QUIX: Final = "quix"
KAFKA_STREAMS: Final = "kafka_streams"
FAUST: Final = "faust_per_event"
PEERS: Final = (QUIX, KAFKA_STREAMS, FAUST)

FAUST_SHARE: Final = 1 / 15
"""It is so slow that the whole log would take minutes."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What is measured.

    Attributes:
        events: in the log of each race; Faust per event gets the first ones of them (`FAUST_SHARE`).
        warm_up_share: of the log; not timed.
        rounds: races of each contestant.
        activity_sigma: how much users differ in activity (log-normal): the higher, the more events are of users whose
            lists are full, and the more events of one user meet in a batch.
        peers: who runs against riverrun, as far as they can run here.
        processes: of `riverrun agents`, beside a run with one: as many as Kafka Streams has threads.
    """

    events: int
    users: int
    rounds: int
    seed: int
    warm_up_share: float = 0.25
    activity_sigma: float = ACTIVITY_SIGMA
    peers: frozenset[str] = frozenset(PEERS)
    processes: int = STREAM_THREADS


class IngestBench(Struct, frozen=True):
    """One run of the measurement; None where a peer could not run here.

    Attributes:
        ratio_quix: how many times as fast riverrun is with all its processes; `..._one_process`: with one.
        rounds: every race's events a second, by contestant.
        cpu_us_per_event: processor time of all of a contestant's processes, after the warm-up.
        broker_cpu_us_per_event: what the contestant made the broker work; empty where the broker is out of sight.
        outputs_per_event: by contestant.
    """

    riverrun_events_per_s: float
    riverrun_one_process_events_per_s: float
    quix_events_per_s: float | None
    kafka_streams_events_per_s: float | None
    faust_per_event_events_per_s: float | None
    ratio_quix: float | None
    ratio_kafka_streams: float | None
    ratio_faust_per_event: float | None
    ratio_quix_one_process: float | None
    ratio_kafka_streams_one_process: float | None
    ratio_faust_per_event_one_process: float | None
    rounds: dict[str, list[float]]
    cpu_us_per_event: dict[str, float]
    broker_cpu_us_per_event: dict[str, float]
    outputs_per_event: dict[str, float]
    processes: int
    events: int
    users: int
    activity_sigma: float
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


def measure_ingest(settings: Settings, plan: IngestPlan, say: Say) -> IngestBench:
    """Run all races.

    Raises:
        RiverrunError: something is missing, a process failed, or a result was wrong.
    """
    partitions = load_topics().events.partitions
    visitors, rng = Visitors.of(plan.users, partitions), np.random.default_rng(plan.seed)
    logs = draw_events(visitors, plan.events, rng, activity_sigma=plan.activity_sigma)
    with resolve_kafka(settings, say) as kafka, tempfile.TemporaryDirectory(prefix="riverrun-bench-") as classes:
        say(f"Kafka: {kafka.why}")
        if plan.peers:
            kafka.access.plain_address("A peer of `riverrun bench`")
        contestants = _contestants(settings, plan, Path(classes), say)
        finishes: dict[str, list[Finish]] = {name: [] for name in contestants}
        say("warming the broker up")
        race(contestants[RIVERRUN], kafka.access, logs, round(plan.warm_up_share * plan.events))
        for number in range(plan.rounds):
            for name in turned(list(contestants), number):
                log = head_of(logs, round(FAUST_SHARE * plan.events)) if name == FAUST else logs
                warm_up = round(plan.warm_up_share * sum(map(len, log)))
                finish = race(contestants[name], kafka.access, log, warm_up)
                finishes[name].append(finish)
                say(f"round {number + 1}: {contestants[name].title}: {_told(finish)}")
    return summarise(finishes, plan)


def summarise(finishes: Mapping[str, Sequence[Finish]], plan: IngestPlan) -> IngestBench:
    """Medians and ratios."""
    rounds = {name: [round(each.pace.events_per_s, 1) for each in races] for name, races in finishes.items()}
    rates = {name: round(median(told), 1) for name, told in rounds.items()}

    def ratio(ours: str, peer: str) -> float | None:
        return round(rates[ours] / rates[peer], 3) if peer in rates else None

    broker = {
        name: [each.broker_cpu_us_per_event for each in races if each.broker_cpu_us_per_event is not None]
        for name, races in finishes.items()
    }
    return IngestBench(
        riverrun_events_per_s=rates[RIVERRUN],
        riverrun_one_process_events_per_s=rates[ONE_PROCESS],
        quix_events_per_s=rates.get(QUIX),
        kafka_streams_events_per_s=rates.get(KAFKA_STREAMS),
        faust_per_event_events_per_s=rates.get(FAUST),
        ratio_quix=ratio(RIVERRUN, QUIX),
        ratio_kafka_streams=ratio(RIVERRUN, KAFKA_STREAMS),
        ratio_faust_per_event=ratio(RIVERRUN, FAUST),
        ratio_quix_one_process=ratio(ONE_PROCESS, QUIX),
        ratio_kafka_streams_one_process=ratio(ONE_PROCESS, KAFKA_STREAMS),
        ratio_faust_per_event_one_process=ratio(ONE_PROCESS, FAUST),
        rounds=rounds,
        cpu_us_per_event={
            name: round(median(each.cpu_us_per_event for each in races), 2) for name, races in finishes.items()
        },
        broker_cpu_us_per_event={name: round(median(costs), 2) for name, costs in broker.items() if costs},
        outputs_per_event={
            name: round(median(each.outputs_per_event for each in races), 3) for name, races in finishes.items()
        },
        processes=plan.processes,
        events=plan.events,
        users=plan.users,
        activity_sigma=plan.activity_sigma,
        seed=plan.seed,
    )


def _told(finish: Finish) -> str:
    return f"{finish.pace.events_per_s:,.0f} events/s, {finish.cpu_us_per_event:.1f} us of processor time each"


def _contestants(settings: Settings, plan: IngestPlan, classes: Path, say: Say) -> dict[str, Contestant]:
    """Who can run here, by name."""
    found = {RIVERRUN: riverrun(plan.processes), ONE_PROCESS: riverrun()}
    if QUIX in plan.peers:
        if importlib.util.find_spec("quixstreams"):
            found[QUIX] = quix_streams()
        else:
            say("Quix Streams does not run: it is not installed (uv sync --group bench)")
    if KAFKA_STREAMS in plan.peers:
        peer = java_peer(peers_folder() / "KafkaStreamsFold.java", classes, settings.cache_dir, say)
        if peer:
            found[KAFKA_STREAMS] = kafka_streams(peer)
        else:
            say("Kafka Streams does not run: no JDK here (no javac in JAVA_HOME or on the PATH)")
    if FAUST in plan.peers:
        found[FAUST] = faust_per_event()
    return found
