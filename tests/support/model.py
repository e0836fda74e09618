"""Small networks, small data sets and a text encoder that needs no weights."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.contracts.catalog import CatalogItem
from app.data.interactions import Dataset, Interactions
from app.interests.state import Interaction, Kind
from model_server.evaluation.baselines.context import Context
from model_server.judging.cases import Cases
from model_server.model.config import NetworkConfig
from model_server.model.network import SequenceNetwork
from model_server.text.encoder import OnProgress
from model_server.training.options import TrainingOptions

TEXT_DIMENSION = 8
DAY_MS = 86_400_000


class HashEncoder:
    """A `TextEncoder` whose vectors are random but always the same; remembers what it was asked for."""

    dimension = TEXT_DIMENSION

    def __init__(self, fingerprint: str = "hash-1") -> None:
        self.fingerprint = fingerprint
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        self.encoded.extend(texts)
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            digest = hashlib.sha256(f"{self.fingerprint}{text}".encode()).digest()
            vectors[row] = np.random.default_rng(list(digest)).normal(size=self.dimension)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-9))
        return unit


def tiny_config(items: int = 6, **changes: object) -> NetworkConfig:
    """The configuration of a network with a few thousand weights."""
    sizes: dict[str, object] = {
        "kinds_seen": (Kind.RATE,),
        "dimension": 16,
        "hidden": 24,
        "max_length": 10,
        "dropout": 0.1,
        "text_dimension": TEXT_DIMENSION,
    }
    return NetworkConfig(items=items, **sizes | changes)  # type: ignore[arg-type]  # keyword by keyword


def tiny_network(seed: int = 1, config: NetworkConfig | None = None) -> SequenceNetwork:
    """A network with random weights, all of them far from zero, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = SequenceNetwork(config or tiny_config())
        for weight in network.parameters():
            if weight.dim() > 0:
                torch.nn.init.normal_(weight, std=0.4)
    return network.eval()


def tiny_options(**changes: object) -> TrainingOptions:
    """Options that train a tiny network in a second or two."""
    sizes: dict[str, object] = {
        "dimension": 16,
        "hidden": 24,
        "max_length": 10,
        "dropout": 0.1,
        "batch_sequences": 32,
        "learning_rate": 1e-2,
    }
    return TrainingOptions(**sizes | changes)  # type: ignore[arg-type]  # keyword by keyword


def interactions_of(
    rows: Iterable[tuple[int, int, int]], users: int, items: int, kind: Kind = Kind.RATE
) -> Interactions:
    """From (user, item, ts_ms), already in time order."""
    columns = np.array(list(rows), dtype=np.int64).reshape(-1, 3)
    return Interactions(
        users=columns[:, 0].astype(np.int32),
        items=columns[:, 1].astype(np.int32),
        kinds=np.full(len(columns), kind, dtype=np.int8),
        ts_ms=columns[:, 2],
        ratings=np.full(len(columns), np.nan, dtype=np.float32),
        user_ids=tuple(f"user-{index}" for index in range(users)),
        item_ids=tuple(f"item-{index}" for index in range(items)),
    )


def dataset_of(interactions: Interactions, name: str = "planted") -> Dataset:
    """With a catalog of titles."""
    catalog = tuple(CatalogItem(item_id=item_id, title=f"Thing {item_id}") for item_id in interactions.item_ids)
    return Dataset(name=name, interactions=interactions, catalog=catalog, fingerprint=f"sha256 of {name}")


def planted_dataset(users: int = 120, items: int = 60, length: int = 9, *, noise: bool = False) -> Dataset:
    """Every user walks round the catalog from a random place: item n is followed by n + 1. With noise: by anything."""
    rng = np.random.default_rng(7)
    walks = [
        rng.permutation(items)[:length] if noise else (rng.integers(items) + np.arange(length)) % items
        for _ in range(users)
    ]
    rows = [(user, int(walks[user][step]), step * DAY_MS + user) for step in range(length) for user in range(users)]
    return dataset_of(interactions_of(rows, users, items))


def did(*item_ids: str, kind: Kind = Kind.RATE, start_ms: int = DAY_MS, gap_ms: int = 60_000) -> list[Interaction]:
    """A history, oldest first."""
    return [Interaction(item_id, kind, start_ms + step * gap_ms) for step, item_id in enumerate(item_ids)]


def assert_close(got: Tensor, wanted: Tensor, atol: float = 1e-5) -> None:
    """Equal within `atol`. torch.testing's own imports five hundred modules for this."""
    assert got.shape == wanted.shape
    assert torch.allclose(got, wanted, rtol=1e-5, atol=atol), f"differ by {(got - wanted).abs().max()}"


def cases_of(histories: Sequence[Interactions]) -> Cases:
    """What is asked for users with these histories, right after the last thing that each did."""
    now_ms = [int(history.ts_ms[-1]) if len(history) else 0 for history in histories]
    return Cases(histories, users=np.arange(len(histories)), now_ms=np.array(now_ms, dtype=np.int64))


def baseline_context(dataset: Dataset) -> Context:
    """What baselines need beside a training part of this."""
    return Context(
        catalog=dataset.catalog,
        half_life_days=1.0,
        seed=3,
        device=torch.device("cpu"),
        encoder_of=lambda _: HashEncoder(),
        cache_dir=Path(),
        on_message=lambda _: None,
    )
