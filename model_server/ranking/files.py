"""A trained ranker on disk: its trees as LightGBM's text, all numbers as safetensors. Nothing is pickled.

    ranker.json           options, time zone, moments, ids of items and places, number of trees' files
    ranker-0.txt, ...     the trees, one file for each seed
    ranking.safetensors   the item tables, the log that they go on from, and fingerprints of its people

The folder's owner keeps the checksums (model_server.registry.save).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy import sparse

from app.data.interactions import Interactions
from app.errors import ModelVersionError
from model_server.ranking.candidates import CandidateOptions
from model_server.ranking.counts import ItemCounts, PlaceCounts
from model_server.ranking.facts import ItemFacts
from model_server.ranking.features import FEATURES
from model_server.ranking.habits import ItemHabits
from model_server.ranking.links import Links, People
from model_server.ranking.names import Names
from model_server.ranking.ranker import Ranker, RankingOptions
from model_server.ranking.tables import ItemTables, columns_of

CONFIG: Final = "ranker.json"
TABLES: Final = "ranking.safetensors"
_PEOPLE: Final = "Names.people"
_COLUMNS: Final = ("users", "items", "kinds", "ts_ms", "places")  # of the log
_HINT: Final = "Train again (`riverrun train`) or copy the whole folder again."
_PARTS: Final = {"data": np.float32, "indices": np.int32, "indptr": np.int64, "shape": np.int64}


class RankerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """ranker.json; `features` must be those of the riverrun that reads it."""

    window: int
    own: int
    each: int
    promoted_only: bool
    zone: str
    promotions: bool
    habits_ms: int
    counts_ms: int
    boosters: int
    features: tuple[str, ...]
    item_ids: tuple[str, ...]
    place_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StoredRanker:
    """A ranker and what it goes on from.

    Args:
        ranker: trained.
        tables: as of training.
        log: that they are of, the newest of it; its users and places have numbers only.
        names: what the numbers are called.
        promotions: whether it learned from what is promoted. Where it did not, it must not be told of it.
    """

    ranker: Ranker
    tables: ItemTables
    log: Interactions
    names: Names
    promotions: bool = False


def save_ranker(folder: Path, stored: StoredRanker) -> None:
    """Write the files."""
    ranker, tables = stored.ranker, stored.tables
    chosen = ranker.options.candidates
    config = RankerConfig(
        window=ranker.options.window,
        own=chosen.own,
        each=chosen.each,
        promoted_only=chosen.promoted_only,
        zone=tables.zone,
        promotions=stored.promotions,
        habits_ms=tables.habits_ms,
        counts_ms=tables.counts_ms,
        boosters=len(ranker.boosters),
        features=tuple(FEATURES),
        item_ids=stored.names.item_ids,
        place_ids=stored.names.place_ids,
    )
    (folder / CONFIG).write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=1))
    for number, booster in enumerate(ranker.boosters):
        (folder / _trees(number)).write_text(booster.model_to_string(), encoding="utf-8")
    save_file(_arrays(tables) | _log_arrays(stored.log) | {_PEOPLE: stored.names.people}, folder / TABLES)


def load_ranker(folder: Path) -> StoredRanker:
    """Read them.

    Raises:
        ModelVersionError: a file is missing or damaged, or another riverrun's features are in it; says which.
    """
    import lightgbm  # noqa: PLC0415  # brings scikit-learn: a second, and 70 MB; most versions have no ranker

    try:
        config = msgspec.json.decode((folder / CONFIG).read_bytes(), type=RankerConfig)
        texts = [(folder / _trees(number)).read_text(encoding="utf-8") for number in range(config.boosters)]
        boosters = [lightgbm.Booster(model_str=text) for text in texts]
        arrays = load_file(folder / TABLES)
        tables = _tables(arrays, config)
        names = Names(config.item_ids, config.place_ids, arrays[_PEOPLE])
        log = _log(arrays, names)
    except (OSError, KeyError, msgspec.DecodeError, SafetensorError, lightgbm.basic.LightGBMError) as error:
        raise ModelVersionError(f"The ranker in {folder} cannot be read: {error}.", hint=_HINT) from error
    if config.features != tuple(FEATURES):
        raise ModelVersionError(f"The ranker in {folder} was trained on other features.", hint=_HINT)
    numbers = max(log.users.max(initial=-1), tables.people.users.max(initial=-1))
    if len(names.item_ids) != len(tables.facts) or numbers >= len(names.people):
        raise ModelVersionError(f"The ranker in {folder} does not fit together: ids and tables differ.", hint=_HINT)
    chosen = CandidateOptions(own=config.own, each=config.each, promoted_only=config.promoted_only)
    ranker = Ranker(boosters, RankingOptions(chosen, config.window))
    return StoredRanker(ranker, tables, log, names, config.promotions)


def _trees(number: int) -> str:
    return f"ranker-{number}.txt"


def _arrays(tables: ItemTables) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {"pool": tables.pool}
    for part in (tables.facts, tables.habits, tables.people, tables.links, tables.counts):
        for field in fields(part):
            arrays |= _flat(f"{type(part).__name__}.{field.name}", getattr(part, field.name))
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _log_arrays(log: Interactions) -> dict[str, NDArray[Any]]:
    columns = {name: getattr(log, name) for name in _COLUMNS}
    return {f"log.{name}": np.ascontiguousarray(column) for name, column in columns.items() if column is not None}


def _log(arrays: Mapping[str, NDArray[Any]], names: Names) -> Interactions:
    columns = {name: arrays.get(f"log.{name}") for name in _COLUMNS}
    if any(columns[name] is None for name in _COLUMNS[:-1]):
        raise KeyError("log")
    return Interactions(
        **columns,  # type: ignore[arg-type]  # looked at above
        ratings=np.full(len(arrays["log.items"]), np.nan, np.float32),
        user_ids=("",) * len(names.people),
        item_ids=names.item_ids,
        place_ids=names.place_ids,
    )


def _flat(name: str, value: object) -> dict[str, NDArray[Any]]:
    if isinstance(value, sparse.csr_array):
        return {f"{name}.{part}": np.asarray(getattr(value, part), dtype) for part, dtype in _PARTS.items()}
    if isinstance(value, PlaceCounts):
        return {f"{name}.keys": value.keys, f"{name}.values": value.values}
    return {name: np.asarray(value)}


def _tables(arrays: Mapping[str, NDArray[Any]], config: RankerConfig) -> ItemTables:
    facts = ItemFacts(**_of(ItemFacts, arrays))
    pool = arrays["pool"]
    return ItemTables(
        facts=facts,
        zone=config.zone,
        links=Links(**_of(Links, arrays)),
        habits=ItemHabits(**_of(ItemHabits, arrays)),
        people=People(**_of(People, arrays)),
        habits_ms=config.habits_ms,
        pool=pool,
        column_of=columns_of(pool, len(facts)),
        counts=ItemCounts(**_of(ItemCounts, arrays)),
        counts_ms=config.counts_ms,
    )


def _of(record: type[Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {field.name: _restored(f"{record.__name__}.{field.name}", arrays) for field in fields(record)}


def _restored(name: str, arrays: Mapping[str, NDArray[Any]]) -> object:
    if f"{name}.indptr" in arrays:
        data, indices, starts, shape = (arrays[f"{name}.{part}"] for part in _PARTS)
        return sparse.csr_array((data, indices, starts), shape=tuple(shape.tolist()))
    if f"{name}.keys" in arrays:
        return PlaceCounts(arrays[f"{name}.keys"], arrays[f"{name}.values"])
    return arrays[name]
