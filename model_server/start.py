"""From settings to a running model server; what `riverrun score` calls."""

import logging

import torch

from app.kafka.access import access_of
from app.kafka.permissions import SCORE
from app.kafka.topic_check import check_topics
from app.kafka.topics import load_topics
from app.settings import Settings
from model_server.device import resolve_device
from model_server.installation import Installation
from model_server.model.serving import Precisions
from model_server.text.pretrained import text_encoders
from model_server.wiring import GROUP, observe, run

logger = logging.getLogger(__name__)


def start(settings: Settings, version_name: str | None, topic_prefix: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        RiverrunError: no broker, topics that are not as they should be, no usable model version, a port in use.
    """
    access = access_of(settings.kafka)
    metrics, health, server = observe(settings)
    with server:
        logger.info("Metrics and probes on port %d.", server.port)
        if settings.scoring.threads:
            torch.set_num_threads(settings.scoring.threads)
        device = resolve_device(settings.scoring.device)
        topics = load_topics()
        if topic_prefix:
            topics = topics.with_prefix(topic_prefix)
        check_topics(access, topics, SCORE, topic_prefix)
        installation = Installation(
            settings=settings,
            access=access,
            topics=topics,
            group=topic_prefix + GROUP,
            device=device,
            encoder_of=text_encoders(settings.cache_dir, device, logger.info, apart=True),
            precisions=Precisions(device),
            pinned=version_name,
        )
        run(installation, (metrics, health))
