"""From settings to a running learner; what `riverrun learn` calls."""

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from app.data.source import DataSource, open_dataset
from app.errors import SettingsError
from app.kafka.access import access_of
from app.kafka.permissions import LEARN
from app.kafka.topic_check import check_topics
from app.kafka.topics import load_topics
from app.observability import Metrics, ObservabilityServer
from app.settings import LearningSettings, Settings
from app.state_folder import claimed_folder
from model_server.learning import metrics as table
from model_server.learning.gate import Rules
from model_server.learning.health import Health
from model_server.learning.learner import Pace
from model_server.learning.past import begin_with
from model_server.learning.store import Bounds, EventStore
from model_server.learning.wiring import Place, learn
from model_server.training.chosen import read_choices, with_choices
from model_server.training.options import TrainingOptions

_MS_PER_HOUR = 3_600_000

logger = logging.getLogger(__name__)


def start(settings: Settings, source: DataSource | None, topic_prefix: str) -> None:
    """Learn until SIGTERM or SIGINT.

    Args:
        settings: all of them.
        source: what an empty store begins with; None: nothing.
        topic_prefix: before every topic's name.

    Raises:
        RiverrunError: private training options, no broker, topics that are not as they should be, a folder or a port
            in use.
    """
    access, learning = access_of(settings.kafka), settings.learning
    check_options(learning.options)
    topics = load_topics()
    if topic_prefix:
        topics = topics.with_prefix(topic_prefix)
    metrics, health = Metrics(table.TABLE), Health(time.monotonic)
    setting = "RIVERRUN_LEARNING__METRICS_PORT"
    with (
        ObservabilityServer(
            learning.metrics_port, setting, metrics.registry, health=health.healthy, ready=health.ready
        ) as server,
        claimed_folder(learning.state_dir, "RIVERRUN_LEARNING__STATE_DIR") as folder,
    ):
        logger.info("Metrics and probes on port %d.", server.port)
        check_topics(access, topics, LEARN)
        store = EventStore(folder / "store", bounds_of(learning))
        if source is not None and not store.manifest.taken:
            dataset = open_dataset(source, settings.cache_dir, logger.info)
            if begin_with(store, folder, dataset, time.time_ns() // 1_000_000):
                logger.info("The store begins with %d events of %s.", store.rows, dataset.name)
        place = Place(access, topics, folder)
        asyncio.run(learn(settings, place, store, pace_of(learning), (metrics, health)))


def check_options(options: Path | None) -> None:
    """Before anything is stored: a training would find the same after hours, time and again.

    Private options are refused: each challenger would spend a privacy budget of its own on the same people, for ever.

    Raises:
        SettingsError: the training options in this file are private ones.
        DataError: they cannot be read, or nothing can be trained with them.
    """
    choices = {} if options is None else read_choices(options)
    with_choices(TrainingOptions(), choices)
    if choices.get("epsilon") is not None:
        raise SettingsError(
            f"{options} has an epsilon: every challenger would spend a privacy budget of its own.",
            hint="Train private versions by hand (riverrun train --private), or take epsilon out of the options.",
        )


def bounds_of(learning: LearningSettings) -> Bounds:
    """Of the event store."""
    return Bounds(learning.most_events, learning.max_age_days, learning.erase_within_s)


def pace_of(learning: LearningSettings) -> Pace:
    """Of the learner."""
    return Pace(
        after_events=learning.after_events,
        every_ms=int(learning.every_h * _MS_PER_HOUR),
        rules=Rules(learning.first_look, learning.looks, learning.coverage_kept),
        keep_versions=learning.keep_versions,
    )


def overridden(settings: Settings, given: Mapping[str, object], models_dir: Path | None) -> Settings:
    """The settings with what was said on the command line in their place; None is nothing said.

    Raises:
        SettingsError: a value is wrong.
    """
    said = {name: value for name, value in given.items() if value is not None}
    try:
        learning = LearningSettings(**settings.learning.model_dump() | said)
    except ValidationError as error:
        raise SettingsError(f"Wrong options: {error.errors()[0]['msg']}.") from error
    scoring = settings.scoring.model_copy(update={} if models_dir is None else {"models_dir": models_dir})
    return settings.model_copy(update={"learning": learning, "scoring": scoring})
