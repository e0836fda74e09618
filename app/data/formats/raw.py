"""What a format makes of a file: batches of interactions as they stand there, and what is known of the items."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem


@dataclass(frozen=True, slots=True)
class RawLog:
    """A file, opened; the batches are read once, as they are asked for.

    Args:
        files: everything that is read, for the fingerprint.
        batches: made by `batch`, in the order of the files, all with the same columns.
        catalog: what is known of the items; told which of them were touched, may leave out all others.
        has_times: False where the times are positions in a sequence.
    """

    files: tuple[Path, ...]
    batches: Iterable[pa.RecordBatch]
    catalog: Callable[[Collection[str]], tuple[CatalogItem, ...]]
    has_times: bool = True


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a batch may say beside who did what when.

    Args:
        ratings: (B,) stars, NaN where there are none.
        quantities: (B,) how many were bought, NaN where it is not known.
        baskets: (B,) ids, null where there are none.
        places: (B,) ids, null where there are none.
    """

    ratings: NDArray[np.float32] | None = None
    quantities: NDArray[np.float32] | None = None
    baskets: pa.Array | None = None
    places: pa.Array | None = None


def batch(
    users: pa.Array, items: pa.Array, ts_ms: NDArray[np.int64], kinds: NDArray[np.int8], amounts: Amounts | None = None
) -> pa.RecordBatch:
    """B interactions as they stand in a file, columns of equal length; ids are integers or text."""
    amounts = amounts or Amounts()
    columns = {
        "user": users,
        "item": items,
        "ts_ms": ts_ms,
        "kind": kinds,
        "rating": amounts.ratings,
        "quantity": amounts.quantities,
        "basket": amounts.baskets,
        "place": amounts.places,
    }
    return pa.RecordBatch.from_pydict({name: _plain(column) for name, column in columns.items() if column is not None})


def nothing_known(_touched: Collection[str]) -> tuple[CatalogItem, ...]:
    """The catalog of a format that says nothing of its items."""
    return ()


def _plain(column: pa.Array | pa.ChunkedArray | NDArray[np.generic]) -> pa.Array:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else pa.array(column)
    return whole.cast(pa.large_string()) if pa.types.is_string(whole.type) else whole
