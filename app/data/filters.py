"""Parts of a data set, as published comparisons take them, and what may be learned from."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Dataset, Interactions
from app.data.local_time import MS_PER_DAY
from app.errors import DataError


def k_core(dataset: Dataset, least: int) -> Dataset:
    """Only users and items with at least `least` interactions with one another: dropped in turns until all have.

    Users and items that are dropped lose their numbers, so what the shop knew of them (`Dataset.shop`) is dropped too.

    Raises:
        DataError: nothing is left.
    """
    log = dataset.interactions
    kept = np.ones(len(log), dtype=np.bool_)
    while True:
        users = np.bincount(log.users[kept], minlength=len(log.user_ids))
        items = np.bincount(log.items[kept], minlength=len(log.item_ids))
        still = kept & (users[log.users] >= least) & (items[log.items] >= least)
        if still.sum() == kept.sum():
            break
        kept = still
    if not kept.any():
        raise DataError(f"No user and item of {dataset.name} have {least} events.", hint="Say a smaller --min-events.")
    return _renumbered(dataset, log.take(kept))


def newest_events(dataset: Dataset, newest: int) -> Dataset:
    """Only the `newest` interactions, with the users who are in them; the catalog stays whole."""
    log = dataset.interactions
    if newest >= len(log):
        return dataset
    part = log.take(slice(len(log) - newest, None))
    users, index = np.unique(part.users, return_inverse=True)
    user_ids = tuple(log.user_ids[user] for user in users)
    return replace(dataset, interactions=replace(part, users=index.astype(np.int32), user_ids=user_ids), shop=None)


def _renumbered(dataset: Dataset, log: Interactions) -> Dataset:
    users, user_index = np.unique(log.users, return_inverse=True)
    items, item_index = np.unique(log.items, return_inverse=True)
    interactions = replace(
        log,
        users=user_index.astype(np.int32),
        items=item_index.astype(np.int32),
        user_ids=_chosen(log.user_ids, users),
        item_ids=_chosen(log.item_ids, items),
    )
    return replace(
        dataset, interactions=interactions, catalog=tuple(dataset.catalog[item] for item in items), shop=None
    )


def _chosen(ids: tuple[str, ...], which: NDArray[np.int32]) -> tuple[str, ...]:
    return tuple(ids[index] for index in which)


def check_happened(log: Interactions, now_ms: int) -> None:
    """What has a time that has not come would be the newest of all for years: nothing that happens live would count.

    Raises:
        DataError: there is such an event.
    """
    ahead = log.ts_ms > now_ms + MS_PER_DAY
    if ahead.any():
        newest = datetime.fromtimestamp(int(log.ts_ms.max()) / 1_000, UTC)
        raise DataError(
            f"{int(ahead.sum()):,} of {len(log):,} events lie in the future, the last at {newest:%Y-%m-%d %H:%M} UTC.",
            hint="Mend or remove these rows; are the times in UTC, and in seconds or milliseconds?",
        )
