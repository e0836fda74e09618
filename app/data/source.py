"""Where a person's `--data` comes from: the data set that riverrun fetches, or a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.data import complete_journey, movielens
from app.data.interactions import Dataset
from app.data.mapping import catalog_mapping, interaction_mapping
from app.data.tables import load_table
from app.data.wheels import OnMessage
from app.errors import DataError

_FETCHED: Final[Mapping[str, Callable[[Path, OnMessage], Dataset]]] = {
    movielens.NAME: movielens.load_movielens,
    complete_journey.NAME: complete_journey.load_complete_journey,
}


@dataclass(frozen=True, slots=True)
class DataSource:
    """What the person said.

    Args:
        data: `movielens-100k`, `complete-journey` or the path of a Parquet or CSV file.
        map: columns of that file, `user=customer_id,item=sku,ts=time`; empty for the wire names.
        catalog: the file of the items, if there is one.
        catalog_map: columns of that one.
    """

    data: str = movielens.NAME
    map: str = ""
    catalog: Path | None = None
    catalog_map: str = ""


def open_dataset(source: DataSource, cache_dir: Path, on_message: OnMessage) -> Dataset:
    """The data set, fetched or read.

    Raises:
        DataError: it cannot be, or the options contradict each other.
    """
    if source.data in _FETCHED:
        if source.map or source.catalog or source.catalog_map:
            raise DataError(
                f"--map, --catalog and --catalog-map are for files; {source.data} needs none of them.",
                hint="Leave them out, or give --data a file.",
            )
        return _FETCHED[source.data](cache_dir, on_message)
    path = Path(source.data)
    if not path.exists():
        raise DataError(
            f"--data {source.data} is no data set and no file.",
            hint=f"Say {' or '.join(_FETCHED)} or the path of a file.",
        )
    if source.catalog_map and not source.catalog:
        raise DataError("--catalog-map needs --catalog.", hint="Say which file it describes.")
    return load_table(path, interaction_mapping(source.map), source.catalog, catalog_mapping(source.catalog_map))
