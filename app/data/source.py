"""Where a person's `--data` comes from: the data set that riverrun fetches, or a file."""

from dataclasses import dataclass
from pathlib import Path

from app.data import movielens
from app.data.interactions import Dataset
from app.data.mapping import catalog_mapping, interaction_mapping
from app.data.tables import load_table
from app.data.wheels import OnMessage
from app.errors import DataError


@dataclass(frozen=True, slots=True)
class DataSource:
    """What the person said.

    Args:
        data: `movielens-100k` or the path of a Parquet or CSV file.
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
    if source.data == movielens.NAME:
        if source.map or source.catalog or source.catalog_map:
            raise DataError(
                f"--map, --catalog and --catalog-map are for files; {movielens.NAME} needs none of them.",
                hint="Leave them out, or give --data a file.",
            )
        return movielens.load_movielens(cache_dir, on_message)
    path = Path(source.data)
    if not path.exists():
        raise DataError(
            f"--data {source.data} is no data set and no file.", hint=f"Say {movielens.NAME} or the path of a file."
        )
    if source.catalog_map and not source.catalog:
        raise DataError("--catalog-map needs --catalog.", hint="Say which file it describes.")
    return load_table(path, interaction_mapping(source.map), source.catalog, catalog_mapping(source.catalog_map))
