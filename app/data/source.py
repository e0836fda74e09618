"""Where a person's `--data` comes from: a data set that riverrun fetches, or a file or folder of a known format."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.data import complete_journey, movielens, thinned
from app.data.assembly import assemble
from app.data.filters import k_core, newest_events
from app.data.formats.names import Format
from app.data.formats.registry import READERS, recognise
from app.data.interactions import Dataset
from app.data.mapping import catalog_mapping, interaction_mapping
from app.data.tables import open_table, with_catalog
from app.data.wheels import OnMessage
from app.errors import DataError
from app.files import sha256_of

_FETCHED: Final[Mapping[str, Callable[[Path, OnMessage], Dataset]]] = {
    movielens.NAME: movielens.load_movielens,
    complete_journey.NAME: complete_journey.load_complete_journey,
    thinned.NAME: thinned.load_thinned,
}


@dataclass(frozen=True, slots=True)
class DataSource:
    """What the person said.

    Args:
        data: `movielens-100k`, `complete-journey`, `complete-journey-thinned`, or the path of a file or folder.
        format: of that file; `auto` recognises it.
        map: columns of a table, `user=customer_id,item=sku,ts=time`; empty for the wire names.
        catalog: a table of the items, if there is one; with it, the format's own is not read.
        catalog_map: columns of that one.
        min_events: users and items with fewer are dropped, until all have as many; 0: none are.
        newest_events: only so many are read; 0: all.
    """

    data: str = movielens.NAME
    format: Format = Format.AUTO
    map: str = ""
    catalog: Path | None = None
    catalog_map: str = ""
    min_events: int = 0
    newest_events: int = 0


def open_dataset(source: DataSource, cache_dir: Path, on_message: OnMessage) -> Dataset:
    """The data set, fetched or read, in time order.

    Raises:
        DataError: it cannot be, or the options contradict each other.
    """
    if source.data in _FETCHED:
        _check_fetched(source)
        dataset = _FETCHED[source.data](cache_dir, on_message)
        dataset = newest_events(dataset, source.newest_events) if source.newest_events else dataset
    else:
        dataset = _read(source)
    dataset = k_core(dataset, source.min_events) if source.min_events else dataset
    return replace(dataset, fingerprint=_fingerprint(dataset.fingerprint, source))


def _read(source: DataSource) -> Dataset:
    path = Path(source.data)
    if not path.exists():
        raise DataError(
            f"--data {source.data} is no data set and no file.",
            hint=f"Say {' or '.join(_FETCHED)} or the path of a file.",
        )
    if source.catalog_map and not source.catalog:
        raise DataError("--catalog-map needs --catalog.", hint="Say which file it describes.")
    chosen = _format(path, source)
    log = READERS[chosen].open(path) if chosen in READERS else open_table(path, interaction_mapping(source.map))
    if source.newest_events and not log.has_times:
        raise DataError(f"{path} has no times, so no events of it are the newest.", hint="Leave out --newest-events.")
    if source.catalog:
        log = with_catalog(log, source.catalog, catalog_mapping(source.catalog_map))
    assembled = assemble(log, source.newest_events)
    content = (chosen, source.map, source.catalog_map, [sha256_of(one) for one in log.files])
    return Dataset(
        name=path.resolve().name,
        interactions=assembled.interactions,
        catalog=assembled.catalog,
        fingerprint=hashlib.sha256(repr(content).encode()).hexdigest(),
    )


def _format(path: Path, source: DataSource) -> Format:
    if source.map and source.format not in {Format.AUTO, Format.TABLE}:
        raise DataError(
            f"--map is for tables; the columns of {source.format} are known.", hint="Leave one of them out."
        )
    if source.format is not Format.AUTO:
        return source.format
    return Format.TABLE if source.map else recognise(path)


def _check_fetched(source: DataSource) -> None:
    if source.map or source.catalog or source.catalog_map or source.format is not Format.AUTO:
        raise DataError(
            f"--format, --map, --catalog and --catalog-map are for files; {source.data} needs none of them.",
            hint="Leave them out, or give --data a file.",
        )


def _fingerprint(content: str, source: DataSource) -> str:
    """Of the content, and of the part of it that is taken."""
    if not source.min_events and not source.newest_events:
        return content
    return hashlib.sha256(repr((content, source.min_events, source.newest_events)).encode()).hexdigest()
