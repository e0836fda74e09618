"""From settings to a running model server; what `riverrun score` calls."""

import logging

import torch

from app.errors import ModelVersionError
from app.kafka.topic_admin import verify_topics
from app.kafka.topics import load_topics
from app.settings import Settings
from model_server.device import resolve_device
from model_server.text.pretrained import open_text_encoder
from model_server.wiring import GROUP, Installation, find_version, observe, run

logger = logging.getLogger(__name__)


def start(settings: Settings, bootstrap_servers: str, version_name: str | None, topic_prefix: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        RiverrunError: no broker, topics that are not as they should be, no usable model version, a port in use.
    """
    metrics, health, server = observe(settings)
    with server:
        logger.info("Metrics and probes on port %d.", server.port)
        if settings.scoring.threads:
            torch.set_num_threads(settings.scoring.threads)
        device = resolve_device(settings.scoring.device)
        topics = load_topics()
        if topic_prefix:
            topics = topics.with_prefix(topic_prefix)
        verify_topics(bootstrap_servers, topics)
        version = find_version(settings.scoring.models_dir, version_name, device)
        encoder = open_text_encoder(settings.cache_dir, device, logger.info)
        if encoder.fingerprint != version.model.text_encoder:
            raise ModelVersionError(
                f"{version.folder} reads texts of the encoder {version.model.text_encoder}, "
                f"this riverrun has {encoder.fingerprint}.",
                hint="Run `riverrun train`.",
            )
        installation = Installation(
            settings=settings,
            bootstrap_servers=bootstrap_servers,
            topics=topics,
            group=topic_prefix + GROUP,
            device=device,
            version=version,
            encoder=encoder,
        )
        run(installation, (metrics, health))
