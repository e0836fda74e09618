"""The live item index: the items that the model was trained on and the live catalog, searchable by vector.

An item is *sellable* when the catalog says so, and only then: after a restart an item that was delisted long ago has
no message left in the compacted topic, and must not come back because the model remembers it. Items that are not
sellable keep their vector, for it is part of what users did.

Written by the catalog follower, read by the scorer, from different threads: both hold the lock, briefly.
This module does not know Kafka, and not where text embeddings come from.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_server.model.network import COLD

_START_CAPACITY = 1_024


class ItemTower(Protocol):
    """The half of the network that makes item vectors."""

    def item_vectors(self, rows: Tensor, texts: Tensor) -> Tensor:
        """(N,) rows of the ID table (`COLD` for none) and (N, T) text embeddings -> (N, D)."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedItems:
    """The items that the model has learned an ID embedding for.

    Args:
        rows: item id -> row of the ID table.
        texts: (N, T) float32 text embeddings, by row.
    """

    rows: Mapping[str, int]
    texts: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Listing:
    """A sellable item as the index takes it in."""

    item_id: str
    title: str


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """How many items: known by vector, sellable, and sellable ones that the model was not trained on."""

    known: int
    sellable: int
    new: int


@dataclass(frozen=True, slots=True, eq=False)
class IndexView:
    """What a scorer reads while it holds the lock. N slots, one per item that has a vector.

    Args:
        vectors: (N, D) item vectors.
        texts: (N, T) text embeddings.
        hidden: (N,) bool, True where the item is not sellable.
        new_slots: (M,) int64, the sellable items that the model was not trained on.
        ids: item id by slot.
        titles: title by slot; empty where the catalog gave none.
        position: item id -> slot.
        sellable: item id -> slot of the sellable items, the newest in the catalog last.
    """

    vectors: Tensor
    texts: Tensor
    hidden: Tensor
    new_slots: Tensor
    ids: Sequence[str]
    titles: Sequence[str]
    position: Mapping[str, int]
    sellable: dict[str, int]


class ItemIndex:
    """The index; see the module.

    Args:
        tower: makes vectors of items.
        trained: the items that the model was trained on; not sellable until the catalog lists them.
        device: where the matrices live.
        max_unlisted: how many items that are neither trained nor sellable keep their vector.
    """

    def __init__(
        self, tower: ItemTower, trained: TrainedItems, device: torch.device, max_unlisted: int = 50_000
    ) -> None:
        self._tower = tower
        self._trained = trained
        self._device = device
        self._max_unlisted = max_unlisted
        self._lock = threading.Lock()
        self._ids: list[str] = []
        self._titles: list[str] = []
        self._position: dict[str, int] = {}
        self._sellable: dict[str, int] = {}
        self._unlisted: dict[str, None] = {}  # untrained and not sellable, the longest so first
        self._new_slots: Tensor | None = None  # made when a reader wants it
        self._new = 0
        ordered = sorted(trained.rows, key=trained.rows.__getitem__)
        texts = trained.texts[[trained.rows[item_id] for item_id in ordered]]
        vectors, placed_texts = self._vectors(ordered, texts)
        self._texts = torch.zeros(_START_CAPACITY, placed_texts.shape[1], device=device)
        self._item_vectors = torch.zeros(_START_CAPACITY, vectors.shape[1], device=device)
        self._hidden = torch.ones(_START_CAPACITY, dtype=torch.bool, device=device)
        self._place([Listing(item_id, "") for item_id in ordered], vectors, placed_texts)

    def counts(self) -> ItemCounts:
        """How many items there are now; asks for no lock."""
        return ItemCounts(known=len(self._position), sellable=len(self._sellable), new=self._new)

    def put(self, listings: Sequence[Listing], texts: NDArray[np.float32]) -> None:
        """Make items sellable and searchable, with new texts.

        Args:
            listings: N different items.
            texts: (N, T) embeddings of their texts.
        """
        if not listings:
            return
        vectors, placed = self._vectors([listing.item_id for listing in listings], texts)
        with self._lock:
            self._make_room(listings)
            self._place(listings, vectors, placed)
            self._show(listings)

    def retitle(self, listings: Sequence[Listing]) -> None:
        """Give sellable items other titles."""
        with self._lock:
            for listing in listings:
                self._titles[self._sellable[listing.item_id]] = listing.title

    def withdraw(self, item_ids: Sequence[str]) -> None:
        """Take items out of the shop at once; items that the index does not know are no news."""
        with self._lock:
            slots = [self._sellable.pop(item_id) for item_id in item_ids if item_id in self._sellable]
            if not slots:
                return
            self._hidden[slots] = True
            self._new_slots = None
            for item_id in (self._ids[slot] for slot in slots):
                if item_id not in self._trained.rows:
                    self._unlisted[item_id] = None
                    self._new -= 1

    @contextmanager
    def reading(self) -> Iterator[IndexView]:
        """The index, standing still for as long as the context lasts."""
        with self._lock:
            if self._new_slots is None:
                new = [slot for item_id, slot in self._sellable.items() if item_id not in self._trained.rows]
                self._new_slots = torch.tensor(new, dtype=torch.int64, device=self._device)
            used = len(self._ids)
            yield IndexView(
                vectors=self._item_vectors[:used],
                texts=self._texts[:used],
                hidden=self._hidden[:used],
                new_slots=self._new_slots,
                ids=self._ids,
                titles=self._titles,
                position=self._position,
                sellable=self._sellable,
            )

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
        slots = torch.tensor([self._position[listing.item_id] for listing in listings], device=self._device)
        if len(listings):
            self._item_vectors[slots] = vectors
            self._texts[slots] = texts

    def _grow(self, needed: int) -> None:
        capacity = len(self._item_vectors)
        if needed <= capacity:
            return
        while capacity < needed:
            capacity *= 2
        more = capacity - len(self._item_vectors)
        vectors, texts, hidden = self._item_vectors, self._texts, self._hidden
        self._item_vectors = torch.cat((vectors, vectors.new_zeros(more, vectors.shape[1])))
        self._texts = torch.cat((texts, texts.new_zeros(more, texts.shape[1])))
        self._hidden = torch.cat((hidden, hidden.new_ones(more)))

    def _show(self, listings: Sequence[Listing]) -> None:
        for listing in listings:
            if listing.item_id in self._sellable:
                continue  # it keeps its place in the order of arrival
            self._sellable[listing.item_id] = self._position[listing.item_id]
            self._new += listing.item_id not in self._trained.rows
        self._hidden[[self._position[listing.item_id] for listing in listings]] = False
        self._new_slots = None
