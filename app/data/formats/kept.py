"""What `riverrun learn` kept: a folder with `events.parquet` and `catalog.jsonl`, written by `kept_writer`.

Every command that reads data reads it: what the learner trained on can be evaluated, tuned and trained on again.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from app.contracts.catalog import CatalogItem, InvalidCatalogItem, decode_catalog_item, encode_catalog_item
from app.data.formats.raw import Amounts, RawLog, batch
from app.errors import DataError
from app.files import sync_folder

EVENTS: Final = "events.parquet"
CATALOG: Final = "catalog.jsonl"
COLUMNS: Final = pa.schema(
    [
        ("user", pa.string()),
        ("item", pa.string()),
        ("ts_ms", pa.int64()),
        ("kind", pa.int8()),
        ("rating", pa.float32()),
        ("quantity", pa.float32()),
        ("place", pa.string()),
    ]
)
"""`kind` as `app.interests.state.Kind`; the last three may be null."""

_BATCH_ROWS: Final = 1 << 18


@contextmanager
def kept_writer(folder: Path, catalog: Iterable[CatalogItem]) -> Iterator[parquet.ParquetWriter]:
    """Takes tables of `COLUMNS`; the folder, which is made, is whole when the block ends."""
    folder.mkdir(parents=True)
    (folder / CATALOG).write_bytes(b"".join(encode_catalog_item(item) + b"\n" for item in catalog))
    with parquet.ParquetWriter(folder / EVENTS, COLUMNS) as writer:
        yield writer
    sync_folder(folder)


def open_kept(folder: Path) -> RawLog:
    """The folder's events and items.

    Raises:
        DataError: a file cannot be read.
    """
    files = (folder / EVENTS, folder / CATALOG)
    try:
        known = _known_columns(files[0])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{files[0]} cannot be read: {error}.", hint="Was it written by `riverrun learn`?") from error
    return RawLog(files=files, batches=_batches(files[0], known), catalog=partial(_catalog, files[1]))


def _known_columns(path: Path) -> frozenset[str]:
    """Columns that are not null everywhere: of the others nothing is ever known."""
    file = parquet.ParquetFile(path)
    nulls = dict.fromkeys(COLUMNS.names, 0)
    for group in range(file.num_row_groups):
        for number, name in enumerate(COLUMNS.names):
            nulls[name] += file.metadata.row_group(group).column(number).statistics.null_count
    return frozenset(name for name, count in nulls.items() if count < file.metadata.num_rows)


def _batches(path: Path, known: frozenset[str]) -> Iterator[pa.RecordBatch]:
    for rows in parquet.ParquetFile(path).iter_batches(_BATCH_ROWS):
        yield batch(
            users=rows["user"],
            items=rows["item"],
            ts_ms=rows["ts_ms"].to_numpy(),
            kinds=rows["kind"].to_numpy(),
            amounts=Amounts(
                ratings=rows["rating"].to_numpy(zero_copy_only=False) if "rating" in known else None,
                quantities=rows["quantity"].to_numpy(zero_copy_only=False) if "quantity" in known else None,
                places=rows["place"].cast(pa.large_string()) if "place" in known else None,
            ),
        )


def _catalog(path: Path, _touched: Collection[str]) -> tuple[CatalogItem, ...]:
    return read_items(path)


def read_items(path: Path) -> tuple[CatalogItem, ...]:
    """The items of a `catalog.jsonl`.

    Raises:
        DataError: it cannot be read, or a line is no item.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.", hint="Was it written by `riverrun learn`?") from error
    items = []
    for number, line in enumerate(lines, start=1):
        item = decode_catalog_item(line)
        if isinstance(item, InvalidCatalogItem):
            raise DataError(f"{path} line {number}: {item.reason}.", hint="Mend or remove the line.")
        items.append(item)
    return tuple(items)
