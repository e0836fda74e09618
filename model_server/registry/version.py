"""What a model version is: everything that the live server needs, in memory and on disk.

A version is a folder `<models_dir>/<name>/` that appears whole or not at all and never changes. Which one is served
is said beside them (model_server.registry.champion).

    model.safetensors   the network's weights
    texts.safetensors   (N, text_dimension) text embeddings of the items it was trained on, by row
    config.json         the network's shape and the text encoder it wants
    encoder.json, encoder.safetensors
                        what fine-tuning that encoder found, and the layers it changed (model_server.text.tuned), where
                        it was tried
    items.json          the item ids, by row
    popularity.json     decayed popularity at the cut, for users of whom nothing is known
    hybrid.json         the weights of the blend, and how the counts beside the network are kept and read
    counts.safetensors  co-visitation at the cut and the neighbours of items, by row
    drift.json          what the newest events of training were like, to hold live ones against
    ranker.json, ranker-<n>.txt, ranking.safetensors
                        the ranker of lists in which things come back, where there is one (model_server.ranking.files)
    data.json           what it was trained on
    metrics.json        how it did on validation
    MODEL_CARD.md       the same for people
    checksums.json      sha256 of all of these, written last
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.data.popularity import Popularity
from model_server.drift.reference import Reference
from model_server.hybrid.parts import HybridParts
from model_server.items.view import TrainedItems
from model_server.model.config import NetworkConfig
from model_server.model.members import Network
from model_server.ranking.files import StoredRanker
from model_server.text.tuned import TunedEncoder

SCHEMA_VERSION: Final = 2


class TrainingData(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was trained on: the oldest `events` of the data set in time order.

    Args:
        name: the data set.
        sha256: of its source files.
        events: interactions it was trained and validated on.
        users: with at least one of them.
        items: of the catalog.
        first_ts_ms: the oldest of them.
        last_ts_ms: the newest of them.
        held_out_events: newer interactions that were kept away from it.
        options: the training options, by name; empty where they were not kept.
        code: the version of riverrun that trained it, with its commit where there is one; empty where not kept.
        parent: the champion of its models folder when its training ended; empty where there was none.
    """

    name: str
    sha256: str
    events: int
    users: int
    items: int
    first_ts_ms: int
    last_ts_ms: int
    held_out_events: int
    options: dict[str, bool | int | float | None] = {}
    code: str = ""
    parent: str = ""


class VersionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """config.json."""

    schema_version: int = SCHEMA_VERSION
    network: NetworkConfig
    text_encoder: str


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A trained network with everything that belongs to it.

    Args:
        network: in evaluation mode.
        text_encoder: fingerprint of the encoder whose vectors it reads; others mean nothing to it.
        item_ids: by row of the network's ID table.
        texts: (N, text_dimension) float32, by row.
        popularity: at the cut.
        hybrid: what the network is blended with.
        data: what it was trained on.
        metrics: name -> value, on validation.
        ranker: for lists in which things come back; None: people here do not, or it does not beat the blend.
        reference: what its events were like; None: of a version from before this was kept.
        tuned: the text encoder's changed layers, or why there are none; None: it was not fine-tuned.
    """

    network: Network
    text_encoder: str
    item_ids: tuple[str, ...]
    texts: NDArray[np.float32]
    popularity: Popularity
    hybrid: HybridParts
    data: TrainingData
    metrics: dict[str, float]
    ranker: StoredRanker | None = None
    reference: Reference | None = None
    tuned: TunedEncoder | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ModelVersion:
    """A model version that was loaded and verified."""

    name: str
    folder: Path
    model: TrainedModel


def trained_items(model: TrainedModel) -> TrainedItems:
    """The items whose ID embedding has learned something: those that somebody touched before the cut."""
    touched = model.popularity.weights
    rows = {item_id: row for row, item_id in enumerate(model.item_ids) if item_id in touched}
    return TrainedItems(rows, model.texts, touched)
