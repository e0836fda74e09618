"""From settings to a running worker: everything that must be right before Faust starts, in order."""

import asyncio
import logging
import time
from functools import partial

from app.interpreter import tune_interpreter
from app.kafka.access import access_of
from app.kafka.permissions import AGENTS
from app.kafka.topic_check import check_topics
from app.kafka.topic_ids import topic_ids
from app.kafka.topics import load_topics
from app.observability import Metrics, ObservabilityServer
from app.settings import Settings
from app.state_folder import claimed_folder
from stream_agents.batch_path.compatibility import check_compatibility
from stream_agents.metrics import METRICS
from stream_agents.progress import Progress, healthy, ready
from stream_agents.state_folder import check_topic_ids
from stream_agents.watchdog import Watchdog, end_process
from stream_agents.wiring import AgentsConfig, WireAgents, wire_agents
from stream_agents.worker import run_worker

log = logging.getLogger("riverrun.agents")


def run_agents(settings: Settings, *, topic_prefix: str, wire: WireAgents = wire_agents) -> None:
    """Run one worker until it is told to stop.

    Args:
        settings: all of them.
        topic_prefix: stands before every topic's name.
        wire: puts the worker together; tests put faults in between.

    Raises:
        RiverrunError: it cannot start, or met something that a person can mend.
        WorkerCrashed: it met something else.
    """
    access = access_of(settings.kafka)
    check_compatibility()
    topics = load_topics().with_prefix(topic_prefix)
    check_topics(access, topics, AGENTS, topic_prefix)
    metrics = Metrics(METRICS)
    started_s = time.monotonic()
    progress = Progress(loop_beat_s=started_s, advanced_s=started_s)
    with (
        claimed_folder(settings.agents.state_dir, "RIVERRUN_AGENTS__STATE_DIR") as folder,
        ObservabilityServer(
            settings.agents.metrics_port,
            "RIVERRUN_AGENTS__METRICS_PORT",
            metrics.registry,
            health=lambda: healthy(progress, time.monotonic()),
            ready=lambda: ready(progress),
        ) as server,
    ):
        check_topic_ids(folder, topic_ids(access, (topics.events.name, topics.interests_changelog.name)))
        log.info("agents of %s, state in %s, metrics on port %d", access.bootstrap_servers, folder, server.port)
        watchdog = Watchdog(lambda: healthy(progress, time.monotonic()), end_process)
        tune_interpreter()
        config = AgentsConfig(access, settings.kafka, settings.agents, topics, folder)
        try:
            asyncio.run(run_worker(partial(wire, config, metrics, progress), metrics, progress, watchdog))
        finally:
            watchdog.close()
