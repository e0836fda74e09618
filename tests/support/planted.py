"""A small model with a known answer: a user's next items are those whose text is most like the newest item's.

It is a real `SequenceNetwork` with its residual branches switched off by their weights, not a stand-in for one.
"""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from app.data.popularity import Popularity
from app.interests.state import Kind
from model_server.hybrid.parts import network_alone
from model_server.model.config import NetworkConfig
from model_server.model.network import SequenceNetwork
from model_server.registry.version import TrainedModel, TrainingData
from model_server.text.encoder import OnProgress, TextEncoder


class WordEncoder:
    """Texts with common words have like vectors; counts what it was asked."""

    fingerprint = "words-1"
    dimension = 64

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        """As `TextEncoder.encode`."""
        self.asked.extend(texts)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                vectors[row] += np.random.default_rng(zlib.crc32(word.encode())).normal(size=self.dimension)
        unit: NDArray[np.float32] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return unit


def planted_network(items: int, dimension: int) -> SequenceNetwork:
    """Item vector = text vector, user vector = the newest item's."""
    config = NetworkConfig(
        items=items,
        text_dimension=dimension,
        kinds_seen=(Kind.VIEW, Kind.RATE, Kind.PURCHASE),
        dimension=dimension,
        heads=2,
        hidden=8,
        dropout=0.0,
    )
    network = SequenceNetwork(config)
    silent = (
        network.item_ids,
        network.kinds,
        network.gaps,
        network.attention.output,
        network.attention.feed_forward[2],
        network.recurrence.output,
    )
    with torch.no_grad():
        for module in silent:
            for parameter in module.parameters():
                parameter.zero_()
        assert network.text_projection is not None
        for linear in (network.text_projection, network.user_projection):
            nn.init.eye_(linear.weight)
            nn.init.zeros_(linear.bias)
    return network.eval()


def planted_model(
    texts: Mapping[str, str], encoder: TextEncoder, popularity: Mapping[str, float] | None = None
) -> TrainedModel:
    """A model that was trained on these items (id -> text); every one of them was touched once by default."""
    torch.manual_seed(7)
    weights = dict.fromkeys(texts, 1.0) if popularity is None else dict(popularity)
    return TrainedModel(
        network=planted_network(len(texts), encoder.dimension),
        text_encoder=encoder.fingerprint,
        item_ids=tuple(texts),
        texts=encoder.encode(list(texts.values())),
        popularity=Popularity(reference_ts_ms=1_000, half_life_days=14.0, weights=weights),
        hybrid=network_alone(len(texts)),
        data=TrainingData(
            name="planted",
            sha256="0" * 64,
            events=len(texts),
            users=1,
            items=len(texts),
            first_ts_ms=0,
            last_ts_ms=1_000,
            held_out_events=0,
        ),
        metrics={},
    )
