"""What one model server is made for."""

from dataclasses import dataclass

import torch

from app.kafka.access import KafkaAccess
from app.kafka.topics import Topics
from app.settings import Settings
from model_server.model.serving import Precisions
from model_server.text.pretrained import EncoderOf


@dataclass(frozen=True, slots=True, eq=False)
class Installation:
    """See the module.

    Args:
        settings: all of them.
        access: to Kafka.
        topics: their names.
        group: the consumer group that shares the work.
        device: where to compute.
        encoder_of: texts of new items to vectors, as a version's network reads them.
        precisions: what users are encoded in.
        pinned: the version to serve, whoever is champion; None: the champion.
    """

    settings: Settings
    access: KafkaAccess
    topics: Topics
    group: str
    device: torch.device
    encoder_of: EncoderOf
    precisions: Precisions
    pinned: str | None
