"""The Complete Journey's twenty million promotion placements: sorted once, kept as columns, mapped from the disk.

Read from its parquet file they would take 2 s and half a gigabyte in every process that asks for one shop's week.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from app.data.shop import Placements, Promotions
from app.files import exclusive, sync_folder

# Raise it when what is written below changes.
_SCHEMA: Final = 1
_COLUMNS: Final = ("starts", "items", "displays", "mailers")
_BATCH_ROWS: Final = 1 << 20
# Codes as in the shop's documentation; the place of a code in its string is its number.
_DISPLAYS: Final = {
    "0": "not on display",
    "1": "store front",
    "2": "store rear",
    "3": "front end cap",
    "4": "mid-aisle end cap",
    "5": "rear end cap",
    "6": "side-aisle end cap",
    "7": "in-aisle",
    "9": "secondary location display",
    "A": "in-shelf",
}
_MAILERS: Final = {
    "0": "not on ad",
    "A": "interior page feature",
    "C": "interior page line item",
    "D": "front page feature",
    "F": "back page feature",
    "H": "wrap front feature",
    "J": "wrap interior coupon",
    "L": "wrap back feature",
    "P": "interior page coupon",
    "X": "free on interior page",
    "Z": "free on front page, back page or wrap",
}


@dataclass(frozen=True, slots=True)
class PlacementSource:
    """Where the placements lie and what their numbers mean.

    Args:
        path: the parquet file.
        fingerprint: of everything that the indices below depend on.
        items: product id -> item index; a product that is not here is left out.
        places: store id -> place index.
        cache_dir: where the sorted columns are kept.
    """

    path: Path
    fingerprint: str
    items: Mapping[int, int]
    places: Mapping[int, int]
    cache_dir: Path


def open_placements(source: PlacementSource) -> Promotions:
    """The placements, sorted and written on first use (about 5 s), then mapped in milliseconds."""
    folder = source.cache_dir / "placements" / f"{source.fingerprint[:16]}-v{_SCHEMA}"
    if not folder.is_dir():
        with exclusive(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _write(_sorted(source), folder)
    starts, items, displays, mailers = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in _COLUMNS)
    return Promotions(
        starts=starts,
        placements=Placements(items=items, displays=displays, mailers=mailers),
        display_labels=tuple(_DISPLAYS.values()),
        mailer_labels=tuple(_MAILERS.values()),
    )


def _write(columns: Mapping[str, NDArray[np.generic]], folder: Path) -> None:
    """Under the lock; the folder only ever appears whole, by a rename."""
    for leftover in folder.parent.glob(".placements-*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=".placements-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        for name, column in columns.items():
            np.save(made / f"{name}.npy", column)
        sync_folder(made)
        made.rename(folder)


def _sorted(source: PlacementSource) -> dict[str, NDArray[np.generic]]:
    weeks, places, items, displays, mailers = _read(source)
    order = np.lexsort((items, places, weeks))
    shape = (int(weeks.max(initial=0)) + 1, max(source.places.values(), default=-1) + 2)
    cell = weeks.astype(np.int64) * (shape[1] - 1) + places.astype(np.int64)
    counts = np.bincount(cell, minlength=shape[0] * (shape[1] - 1)).reshape(shape[0], shape[1] - 1)
    ends = np.cumsum(counts).reshape(counts.shape)
    starts = np.zeros(shape, dtype=np.int64)
    starts[:, 1:] = ends
    starts[:, 0] = ends[:, 0] - counts[:, 0]
    return {"starts": starts, "items": items[order], "displays": displays[order], "mailers": mailers[order]}


def _read(source: PlacementSource) -> tuple[NDArray[np.generic], ...]:
    """Weeks, places, items, displays and mailers of every placement whose product is in the catalog."""
    item_of, place_of = _lookup(source.items), _lookup(source.places)
    parts: list[tuple[NDArray[np.generic], ...]] = []
    for batch in parquet.ParquetFile(source.path).iter_batches(batch_size=_BATCH_ROWS):
        products, stores = batch.column("product_id").to_numpy(), batch.column("store_id").to_numpy()
        part = (
            batch.column("week").to_numpy().astype(np.int8),
            place_of[np.minimum(stores, len(place_of) - 1)].astype(np.int16),
            item_of[np.minimum(products, len(item_of) - 1)],
            _numbers(batch.column("display_location"), tuple(_DISPLAYS)),
            _numbers(batch.column("mailer_location"), tuple(_MAILERS)),
        )
        known = (part[1] >= 0) & (part[2] >= 0)
        parts.append(tuple(column[known] for column in part))
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _lookup(index: Mapping[int, int]) -> NDArray[np.int32]:
    """Id -> index as an array with -1 where there is none and at its end; ids are below twenty million."""
    table = np.full(max(index, default=-1) + 2, -1, dtype=np.int32)
    table[list(index)] = list(index.values())
    return table


def _numbers(letters: pa.Array, codes: tuple[str, ...]) -> NDArray[np.int8]:
    """Each letter's place among the codes."""
    encoded = letters.dictionary_encode()
    of_letter = np.array([codes.index(letter) for letter in encoded.dictionary.to_pylist()], dtype=np.int8)
    numbers: NDArray[np.int8] = of_letter[encoded.indices.to_numpy()]
    return numbers
