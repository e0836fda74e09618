"""A sparse shop made of a dense one: The Complete Journey cut up and thinned until it looks like a review set.

Such sets (tens of thousands of users, about 9 events each, 11,000 to 18,000 items, ids only) are what sequence models
are compared on. This one is made, not found: recipes for sparse data are chosen on its validation events, so that they
fit no published file. A household's year becomes several users, each a run of neighbouring purchases; what sells best
is thinned, since a grocer's bananas have no like among reviews. What remains true: people, order, what goes together.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from app.data.complete_journey import load_complete_journey
from app.data.filters import k_core
from app.data.interactions import Dataset, Interactions, in_time_order
from app.data.wheels import OnMessage

NAME: Final = "complete-journey-thinned"
_SEED: Final = 1
_CORE: Final = 5
_POPULAR: Final = 150  # purchases in the year; of an item with more a share of (150 / purchases)^.6 is kept
_POWER: Final = 0.6
_SHORTEST: Final = 5
_MEAN_LENGTH: Final = 9
_USERS: Final = 28_000  # before the core is taken


def load_thinned(cache_dir: Path, on_message: OnMessage) -> Dataset:
    """The thinned data set; the whole one is fetched on first use.

    Raises:
        DataError: it cannot be fetched.
    """
    return thinned(load_complete_journey(cache_dir, on_message), _USERS, np.random.default_rng(_SEED))


def thinned(dataset: Dataset, users: int, rng: np.random.Generator) -> Dataset:
    """Runs of a household's neighbouring purchases as users, no item twice in a run, ids alone.

    Args:
        dataset: purchases of few people who each have many.
        users: runs that are kept, before users and items with fewer than five events are dropped.
        rng: decides which purchases and which runs.
    """
    log = _less_of_what_sells_best(dataset.interactions, rng)
    log = log.take(np.argsort(log.users, kind="stable"))
    runs = _runs(log.users, rng)
    first = np.unique(np.stack([runs, log.items]), axis=1, return_index=True)[1]
    kept = np.isin(runs, rng.permutation(int(runs[-1]) + 1)[:users])
    kept &= np.isin(np.arange(len(runs)), first)
    chosen = replace(log, users=runs, user_ids=tuple(map(str, range(int(runs[-1]) + 1)))).take(kept)
    catalog = tuple(CatalogItem(item_id=item_id, title=item_id) for item_id in log.item_ids)
    fingerprint = hashlib.sha256(f"{NAME} of {dataset.fingerprint}".encode()).hexdigest()
    made = Dataset(name=NAME, interactions=in_time_order(chosen), catalog=catalog, fingerprint=fingerprint)
    return k_core(made, _CORE)


def _less_of_what_sells_best(log: Interactions, rng: np.random.Generator) -> Interactions:
    """All of a household's purchases of an item stay or go together, so that who stays with it stays faithful."""
    sold = np.bincount(log.items, minlength=len(log.item_ids))
    share = np.minimum(1.0, (_POPULAR / np.maximum(sold, 1)) ** _POWER)
    _, pair = np.unique(log.users.astype(np.int64) * len(log.item_ids) + log.items, return_inverse=True)
    return log.take(rng.random(int(pair.max()) + 1)[pair] < share[log.items])


def _runs(users: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """(E,) users, everybody's events together -> (E,) number of the run: 5 events and a geometric number more."""
    lengths = _SHORTEST - 1 + rng.geometric(1 / (_MEAN_LENGTH - _SHORTEST + 1), size=len(users) // _SHORTEST + 1)
    begins = np.cumsum(lengths)
    starts = np.zeros(len(users), dtype=np.int32)
    starts[begins[begins < len(users)]] = 1
    starts[1:][np.diff(users) != 0] = 1
    return np.cumsum(starts, dtype=np.int32)
