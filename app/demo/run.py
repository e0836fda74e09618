"""One run of the demo, from nothing to its report: data, model, Kafka, topics, processes, live part."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.contracts.catalog import CatalogItem
from app.data.movielens import NAME as MOVIELENS
from app.data.movielens import load_movielens
from app.demo.live import DemoLost, DemoPlan, LiveRun, Stage
from app.demo.pipeline import Pipeline
from app.demo.report import DemoReport
from app.demo.training import trained_model
from app.demo.watch import Watch
from app.kafka.access import KafkaAccess
from app.kafka.resolver import ResolvedKafka, resolve_kafka
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import load_topics
from app.processes.service import Launch, free_port
from app.replay import publish_catalog, replay_producer
from app.settings import Settings

HOLDOUT_EVENTS: Final = 10_000
"""The demo's model has never seen this many of the newest events; so many can be replayed."""

_DAY_MS: Final = 86_400_000

TitledScreen = Callable[[Watch, str], AbstractContextManager[object]]
"""Shows a watch under a headline for the length of a `with` block."""


def run_demo(
    settings: Settings,
    plan: DemoPlan,
    say: Callable[[str], None],
    screen: TitledScreen,
    on_report: Callable[[DemoReport, str], None],
) -> None:
    """Run the demo.

    Args:
        settings: everything the processes need; the demo adds addresses and ports.
        plan: how much and how fast.
        say: told in one line what is going on.
        screen: shows the live part.
        on_report: gets what came of it and the page's address; all ends when it returns.

    Raises:
        RiverrunError: something is missing or a process failed; the message says what to do.
    """
    started_s = time.monotonic()
    with staged(settings, say, gateway={"RIVERRUN_GATEWAY__KEEP_INTERESTS": "true"}) as stage:
        live = LiveRun(stage, plan, say)
        headline = f"{stage.gateway_url}  ·  {stage.headline}"  # the end may be cut off
        report = asyncio.run(live.run(lambda watch: screen(watch, headline), started_s))
        on_report(report, stage.gateway_url)


@contextmanager
def staged(
    settings: Settings, say: Callable[[str], None], *, gateway: Mapping[str, str] | None = None
) -> Iterator[Stage]:
    """Everything that a live part needs, started, for the length of the block: Kafka, topics, model, processes.

    Args:
        settings: everything the processes need; addresses and ports are added.
        say: told in one line what is going on.
        gateway: start a gateway too, which lets everybody of this machine in, with these settings.

    Raises:
        RiverrunError: something is missing or a process failed.
    """
    dataset = load_movielens(settings.cache_dir, say)
    model_version = trained_model(MOVIELENS, HOLDOUT_EVENTS, settings, say)
    with resolve_kafka(settings, say) as kafka:
        say(f"Kafka: {kafka.why}")
        # Where Kafka is somebody's own, the demo keeps to topics of its own.
        prefix = f"demo-{secrets.token_hex(3)}-" if kafka.kind == "configured" else ""
        topics = load_topics().with_prefix(prefix)
        apply_topics(kafka.access, topics)
        try:
            asyncio.run(_send_catalog(kafka.access, topics.catalog.name, dataset.catalog))
            agents = _agents(kafka, prefix)
            model_server = _model_server(kafka, prefix, settings.scoring.models_dir, model_version)
            opened = None if gateway is None else _gateway(kafka, prefix, (agents, model_server), gateway)
            with Pipeline(agents, model_server, opened.launch if opened else None) as pipeline:
                yield Stage(
                    access=kafka.access,
                    topics=topics,
                    pipeline=pipeline,
                    dataset=dataset,
                    model_version=model_version,
                    headline=f"model {model_version}  ·  {kafka.why}",
                    half_life_ms=settings.scoring.popularity_half_life_days * _DAY_MS,
                    gateway_url=opened.url if opened else "",
                )
        finally:
            if prefix:
                delete_topics(kafka.access, topics)


def check(report: DemoReport) -> None:
    """Hold the run to its promise.

    Raises:
        DemoLost: an event is unaccounted for, or a user waits for a list.
    """
    if not report.nothing_lost():
        raise DemoLost(
            f"Lost: {report.events} events were sent, {report.accepted} accepted and {report.rejected} rejected; "
            f"{report.lost} users have no list for their newest event.",
            hint="Run it again with --log-level debug and report this with the output.",
        )


async def _send_catalog(access: KafkaAccess, topic: str, items: Sequence[CatalogItem]) -> None:
    async with replay_producer(access) as producer:
        await publish_catalog(producer, topic, items)


def _agents(kafka: ResolvedKafka, prefix: str) -> Launch:
    port = free_port()
    options = ("--topic-prefix", prefix, "--metrics-port", str(port))
    return Launch("agents", lambda own: ("--state-dir", str(own / "state"), *options), kafka.access.environment(), port)


def _model_server(kafka: ResolvedKafka, prefix: str, models_dir: Path, version: str) -> Launch:
    port = free_port()
    model = ("--models-dir", str(models_dir), "--version", version)
    options = ("--topic-prefix", prefix, "--metrics-port", str(port))
    return Launch("score", lambda _own: (*model, *options), kafka.access.environment(), port)


@dataclass(frozen=True, slots=True)
class _Gateway:
    launch: Launch
    url: str


def _gateway(kafka: ResolvedKafka, prefix: str, scraped: Sequence[Launch], settings: Mapping[str, str]) -> _Gateway:
    port, metrics_port = free_port(), free_port()
    options = ("--topic-prefix", prefix, "--port", str(port), "--metrics-port", str(metrics_port))
    environment = {
        "RIVERRUN_GATEWAY__HOST": "127.0.0.1",
        "RIVERRUN_GATEWAY__OPEN_ACCESS": "true",
        "RIVERRUN_GATEWAY__SCRAPE": ",".join(f"http://127.0.0.1:{each.port}/metrics" for each in scraped),
        **settings,
    }
    launch = Launch(
        "gateway",
        lambda own: ("--state-dir", str(own / "lists"), *options),
        kafka.access.environment() | environment,
        metrics_port,
    )
    return _Gateway(launch, f"http://127.0.0.1:{port}")
