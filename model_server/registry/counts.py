"""The files of a version that hold what the network is blended with. Nothing is unpickled."""

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from app.errors import ModelVersionError
from model_server.counts.covisitation import CountedPairs, CoVisitationOptions
from model_server.counts.neighbours import NeighbourTable, Reading
from model_server.hybrid.blend import BlendWeights
from model_server.hybrid.parts import BlendGain, HybridParts

COUNTS: Final = "counts.safetensors"
_HINT: Final = "Train again (`riverrun train`) or copy the whole folder again."
_TABLES: Final = ("covisitation", "neighbours")
_COUNTS: Final = "covisitation.counts"


class HybridDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """hybrid.json."""

    weights: BlendWeights
    gain: BlendGain
    covisitation: CoVisitationOptions
    counted_until_ms: int
    neighbours: Reading


def description_of(parts: HybridParts) -> HybridDescription:
    """What hybrid.json says."""
    return HybridDescription(
        weights=parts.weights,
        gain=parts.gain,
        covisitation=parts.options,
        counted_until_ms=parts.covisitation.reference_ts_ms,
        neighbours=parts.reading,
    )


def save_counts(parts: HybridParts, path: Path) -> None:
    """Write the tables."""
    arrays: dict[str, NDArray[np.generic]] = {_COUNTS: parts.covisitation.counts}
    for name, table in zip(_TABLES, (parts.covisitation.pairs, parts.neighbours), strict=True):
        arrays |= {
            f"{name}.starts": table.starts,
            f"{name}.neighbours": table.neighbours,
            f"{name}.weights": table.weights,
        }
    save_file({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}, path)


def load_counts(path: Path, description: HybridDescription, items: int) -> HybridParts:
    """Read the tables.

    Args:
        path: of the file.
        description: hybrid.json.
        items: of how many items they must be.

    Raises:
        ModelVersionError: it cannot be read, or its parts do not fit each other; says which.
    """
    try:
        arrays = {name: tensor.numpy() for name, tensor in load_file(path).items()}
        tables = [NeighbourTable(*(arrays[f"{name}.{part}"] for part in _PARTS)) for name in _TABLES]
        counts = arrays[_COUNTS]
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelVersionError(f"{path} cannot be read: {error}.", hint=_HINT) from error
    for name, table in zip(_TABLES, tables, strict=True):
        _check(path, name, table, items)
    if counts.shape != (items,):
        raise ModelVersionError(f"{path}: counts of {counts.shape} items, wanted {items}.", hint=_HINT)
    return HybridParts(
        covisitation=CountedPairs(tables[0], counts, description.counted_until_ms),
        options=description.covisitation,
        neighbours=tables[1],
        reading=description.neighbours,
        weights=description.weights,
        gain=description.gain,
    )


_PARTS: Final = ("starts", "neighbours", "weights")


def _check(path: Path, name: str, table: NeighbourTable, items: int) -> None:
    entries = len(table.neighbours)
    fits = (
        table.starts.shape == (items + 1,)
        and table.starts[0] == 0
        and table.starts[-1] == entries == len(table.weights)
        and bool((np.diff(table.starts) >= 0).all())
        and (not entries or 0 <= table.neighbours.min() <= table.neighbours.max() < items)
    )
    if not fits:
        raise ModelVersionError(f"{path}: the table {name!r} is not one of {items} items.", hint=_HINT)
