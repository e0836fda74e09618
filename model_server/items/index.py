"""The live item index: the items that the model was trained on and the live catalog, searchable by vector.

An item is *sellable* when the catalog says so, and only then: after a restart an item that was delisted long ago has
no message left in the compacted topic, and must not come back because the model remembers it. Items that are not
sellable keep their vector, for it is part of what users did.

Written by the catalog follower, read by the scorer, from different threads: both hold the lock, briefly.
This module does not know Kafka, and not where text embeddings come from.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.contracts.catalog import Promotion
from model_server.items.approximate import ApproximateIndex
from model_server.items.live_search import LiveSearch
from model_server.items.new_items import NewItems
from model_server.items.rows import ItemRows
from model_server.items.search import BLOCK, ExactSearch
from model_server.items.view import IndexView, ItemCounts, ItemTower, Listing, TrainedItems
from model_server.model.network import COLD

_START_CAPACITY = 1_024  # doubled when full: always whole blocks
_PLACED_AT_ONCE = 50_000
_LENT_AT_ONCE = 8_192
_MINUS_INFINITY = float("-inf")
APPROXIMATE_FROM = 50_000  # items, on a CPU: where a lone user's exact search would take as long as the encoder


class ItemIndex:
    """The index; see the module.

    Args:
        tower: makes vectors of items.
        trained: the items that the model was trained on; not sellable until the catalog lists them.
        device: where the matrices live.
        max_unlisted: how many items that are neither trained nor sellable keep their vector.
        approximate_from: from how many items on a CPU searches them by an approximate index.
        rows: told of every slot, so that counts of items find them; None: nothing is counted.
    """

    def __init__(
        self,
        tower: ItemTower,
        trained: TrainedItems,
        device: torch.device,
        max_unlisted: int = 50_000,
        approximate_from: int = APPROXIMATE_FROM,
        rows: ItemRows | None = None,
    ) -> None:
        self._tower = tower
        self._trained = trained
        self._device = device
        self._max_unlisted = max_unlisted
        self._rows = ItemRows(max_rows=0) if rows is None else rows
        self._lock = threading.Lock()
        self._ids: list[str] = []
        self._titles: list[str] = []
        self._position: dict[str, int] = {}
        self._sellable: dict[str, int] = {}
        self._promoted: dict[str, tuple[Promotion, ...]] = {}
        self._unlisted: dict[str, None] = {}  # untrained and not sellable, the longest so first
        self._version = 0
        # On a GPU never: it scores a million items at once.
        text_width = trained.texts.shape[1]
        width = self._vectors([], np.empty((0, text_width), np.float32))[0].shape[1]
        searched = approximate_from if device.type == "cpu" else None
        ordered = sorted(trained.rows, key=trained.rows.__getitem__)
        counts = [trained.popularity.get(item_id, 0.0) for item_id in ordered]
        self._by_vector = LiveSearch(searched)
        self._new = NewItems(torch.tensor(counts, dtype=torch.float32, device=device), width, searched)
        self._new.grow(_START_CAPACITY)
        # Texts are four fifths of the memory of a large catalogue: half precision is plenty for likeness.
        self._texts = torch.zeros(_START_CAPACITY, text_width, device=device, dtype=torch.float16)
        self._item_vectors = torch.zeros(_START_CAPACITY, width, device=device)
        self._vector_ids = np.zeros(_START_CAPACITY, np.int64)
        self._vectors_made = 0
        self._penalty = torch.full((_START_CAPACITY,), _MINUS_INFINITY, device=device)
        for start in range(0, len(ordered), _PLACED_AT_ONCE):  # a copy of all texts would be the peak of all memory
            part = ordered[start : start + _PLACED_AT_ONCE]
            made = self._vectors(part, trained.texts[[trained.rows[item_id] for item_id in part]])
            self._place([Listing(item_id, "") for item_id in part], *made)

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._version

    def is_sellable(self, item_id: str) -> bool:
        """Whether it is for sale now; asks for no lock."""
        return item_id in self._sellable

    def counts(self) -> ItemCounts:
        """How many items there are now; asks for no lock."""
        return ItemCounts(known=len(self._position), sellable=len(self._sellable), new=len(self._new.slots))

    def promoted(self) -> dict[str, tuple[Promotion, ...]]:
        """Where each sellable item that is promoted stands out."""
        with self._lock:
            return self._promoted.copy()

    def put(self, listings: Sequence[Listing], texts: NDArray[np.float32]) -> None:
        """Make items sellable and searchable, with new texts.

        Args:
            listings: N different items.
            texts: (N, T) embeddings of their texts.
        """
        if not listings:
            return
        vectors, placed = self._vectors([listing.item_id for listing in listings], texts)
        untrained = [place for place, each in enumerate(listings) if each.item_id not in self._trained.rows]
        lent = self._new.loans_for(placed[untrained], self._texts, self._item_vectors) if untrained else None
        with self._lock:
            self._make_room(listings)
            self._place(listings, vectors, placed)
            self._show(listings)
            self._by_vector.put([self._position[listing.item_id] for listing in listings], vectors)
            if lent is not None:
                new = [listings[place].item_id for place in untrained]
                self._new.put(new, [self._position[item_id] for item_id in new], lent)
        self._tend()

    def lend_again(self) -> None:
        """Let new items borrow anew, for when all of the catalog was put.

        Nothing is done where the trained items had texts from the start. Where they have none but the catalog's, what
        was put before its lenders has borrowed nothing.
        """
        if self._trained.texts.any():
            return
        new = list(self._new.slots.items())
        for start in range(0, len(new), _LENT_AT_ONCE):
            item_ids, slots = zip(*new[start : start + _LENT_AT_ONCE], strict=True)
            lent = self._new.loans_for(self._texts[list(slots)].float(), self._texts, self._item_vectors)
            with self._lock:
                self._new.put(item_ids, list(slots), lent)
                self._version += 1
        self._tend()

    def retitle(self, listings: Sequence[Listing]) -> None:
        """Give sellable items other titles and promotions."""
        with self._lock:
            for listing in listings:
                self._titles[self._sellable[listing.item_id]] = listing.title
                self._promote(listing)
            self._version += 1

    def withdraw(self, item_ids: Sequence[str]) -> None:
        """Take items out of the shop at once; items that the index does not know are no news."""
        with self._lock:
            slots = [self._sellable.pop(item_id) for item_id in item_ids if item_id in self._sellable]
            if not slots:
                return
            for item_id in item_ids:
                self._promoted.pop(item_id, None)
            self._penalty[slots] = _MINUS_INFINITY
            self._by_vector.drop(slots)
            self._new.drop(item_ids)
            self._version += 1
            for item_id in (self._ids[slot] for slot in slots):
                if item_id not in self._trained.rows:
                    self._unlisted[item_id] = None
        self._tend()

    @contextmanager
    def reading(self) -> Iterator[IndexView]:
        """The index, standing still for as long as the context lasts."""
        with self._lock:
            self._rows.link(self._position)
            used = len(self._ids)
            yield IndexView(
                vectors=self._item_vectors[:used],
                vector_ids=self._vector_ids[:used],
                texts=self._texts[:used],
                penalty=self._penalty[:used],
                by_vector=self._by_vector.over(self._item_vectors, self._exact),
                new_items=self._new.search(),
                tastes=self._new.tastes.table(used),
                version=self._version,
                ids=self._ids,
                titles=self._titles,
                position=self._position,
                sellable=self._sellable,
                rows=self._rows,
            )

    def _exact(self) -> ExactSearch:
        whole_blocks = -(-len(self._ids) // BLOCK) * BLOCK
        return ExactSearch(self._item_vectors[:whole_blocks], self._penalty[:whole_blocks])

    def _tend(self) -> None:
        """Make approximate indexes that are wanted. It takes seconds, so without the lock: nobody else writes."""
        for search, slots, matrix in (
            (self._by_vector, self._sellable, self._item_vectors),
            (self._new.by_vector, self._new.slots, self._new.vectors),
        ):
            made = None
            if search.wants_index(len(slots)):
                wanted = np.fromiter(slots.values(), np.int64, len(slots))
                made = ApproximateIndex(wanted, matrix[torch.from_numpy(wanted)].float().numpy())
            elif not search.shrunk(len(slots)):
                continue
            with self._lock:
                search.take_over(made)

    @torch.inference_mode()
    def _vectors(self, item_ids: Sequence[str], texts: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        rows = torch.tensor([self._trained.rows.get(item_id, COLD) for item_id in item_ids], device=self._device)
        placed = torch.from_numpy(np.ascontiguousarray(texts, dtype=np.float32)).to(self._device)
        return self._tower.item_vectors(rows.to(torch.int64), placed), placed

    def _make_room(self, listings: Sequence[Listing]) -> None:
        """Let the items that were unlisted the longest give their slots to new ones."""
        for listing in listings:
            self._unlisted.pop(listing.item_id, None)
        arriving = [listing for listing in listings if listing.item_id not in self._position]
        for listing in arriving[: max(0, len(self._unlisted) - self._max_unlisted)]:
            oldest = next(iter(self._unlisted))
            del self._unlisted[oldest]
            slot = self._position.pop(oldest)
            self._ids[slot] = listing.item_id
            self._position[listing.item_id] = slot

    def _place(self, listings: Sequence[Listing], vectors: Tensor, texts: Tensor) -> None:
        for listing in listings:
            slot = self._position.get(listing.item_id)
            if slot is None:
                self._position[listing.item_id] = len(self._ids)
                self._ids.append(listing.item_id)
                self._titles.append(listing.title)
            else:
                self._titles[slot] = listing.title
        self._grow(len(self._ids))
        places = [self._position[listing.item_id] for listing in listings]
        self._rows.placed([listing.item_id for listing in listings], places)
        slots = torch.tensor(places, device=self._device)
        if len(listings):
            self._item_vectors[slots] = vectors
            self._texts[slots] = texts.to(self._texts.dtype)
            self._vector_ids[places] = np.arange(self._vectors_made, self._vectors_made + len(places))
            self._vectors_made += len(places)

    def _grow(self, needed: int) -> None:
        capacity = len(self._item_vectors)
        if needed <= capacity:
            return
        while capacity < needed:
            capacity *= 2
        more = capacity - len(self._item_vectors)
        vectors, texts, penalty = self._item_vectors, self._texts, self._penalty
        self._item_vectors = torch.cat((vectors, vectors.new_zeros(more, vectors.shape[1])))
        self._texts = torch.cat((texts, texts.new_zeros(more, texts.shape[1])))
        self._vector_ids = np.concatenate((self._vector_ids, np.zeros(more, np.int64)))
        self._penalty = torch.cat((penalty, penalty.new_full((more,), _MINUS_INFINITY)))
        self._new.grow(capacity)

    def _show(self, listings: Sequence[Listing]) -> None:
        for listing in listings:
            item_id = listing.item_id
            # One that is there already keeps its place in the order of arrival.
            self._sellable.setdefault(item_id, self._position[item_id])
            self._promote(listing)
        self._penalty[[self._position[listing.item_id] for listing in listings]] = 0.0
        self._version += 1

    def _promote(self, listing: Listing) -> None:
        if listing.promotions:
            self._promoted[listing.item_id] = listing.promotions
        else:
            self._promoted.pop(listing.item_id, None)
