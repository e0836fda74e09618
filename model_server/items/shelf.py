"""Brings catalog news into the index without ever delaying a click, and without delisted items coming back.

News that needs no text encoding is applied in its order at once. New texts wait their turn for the encoder, which
runs in a process of its own with low priority (model_server.text.apart). Decisions are made on the event loop; the
index is written by one thread, in the order of the decisions.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from app.errors import DataError
from model_server.items.index import ItemIndex
from model_server.items.intake import CatalogNews, Offer
from model_server.text.encoder import TextEncoder

# Small, so that the first new items are there after a fraction of a second: MiniLM does about 100 texts/s on a core.
_TEXTS_AT_ONCE = 32
_RETRY_S = 10.0

logger = logging.getLogger(__name__)


class Shelf:
    """Catalog news -> index.

    Args:
        index: what to keep up to date.
        encoder: texts to vectors; called from one thread only.
    """

    def __init__(self, index: ItemIndex, encoder: TextEncoder) -> None:
        self._index = index
        self._encoder = encoder
        self._waiting: dict[str, Offer] = {}
        self._encoding: dict[str, Offer] = {}
        self._shelved: dict[str, str] = {}  # sellable item id -> the text that its vector was made of
        self._news = asyncio.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="item-index")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="text-encoder")  # waits for the encoder's process

    def __enter__(self) -> "Shelf":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.shutdown(wait=False, cancel_futures=True)
        self._writer.shutdown(wait=False, cancel_futures=True)

    @property
    def unencoded(self) -> int:
        """Items whose text is not searchable yet."""
        return len(self._waiting) + len(self._encoding)

    def unencoded_ids(self) -> list[str]:
        """Their ids, in the order in which they will be searchable."""
        return [*self._encoding, *self._waiting]

    def waits_for(self, item_ids: Sequence[str]) -> bool:
        """Whether any of these is not searchable yet; the last ones are looked at first."""
        return any(item_id in self._waiting or item_id in self._encoding for item_id in reversed(item_ids))

    async def stock(self, news: CatalogNews) -> None:
        """Apply what can be applied at once, and queue the texts that must be encoded."""
        retitled = []
        for item_id, offer in news.offers.items():
            coming = self._encoding.get(item_id)
            if coming is not None and coming.text == offer.text:
                self._encoding[item_id] = offer
            elif self._shelved.get(item_id) == offer.text:
                self._overtake(item_id)
                retitled.append(offer.listing)
            else:
                self._encoding.pop(item_id, None)
                # What waits already keeps its place: news that is in no text is no reason to lose it.
                self._waiting[item_id] = offer
        for item_id in news.withdrawn:
            self._overtake(item_id)
            self._shelved.pop(item_id, None)
        if self._waiting:
            self._news.set()
        await asyncio.gather(
            self._write(partial(self._index.withdraw, news.withdrawn)),
            self._write(partial(self._index.retitle, retitled)),
        )

    async def lend_again(self) -> None:
        """Let new items borrow anew, after all that was stocked and encoded so far."""
        await self._write(self._index.lend_again)

    async def encode_forever(self) -> None:
        """Encode what waits, the oldest news first."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self._encode_some()

    async def _encode_some(self) -> None:
        taken = list(islice(self._waiting, _TEXTS_AT_ONCE))
        self._encoding = {item_id: self._waiting.pop(item_id) for item_id in taken}
        texts = [offer.text for offer in self._encoding.values()]
        order = list(self._encoding)
        try:
            vectors = await asyncio.get_running_loop().run_in_executor(self._reader, self._encoder.encode, texts)
        except DataError as error:
            # The model's weights cannot be fetched or the disk is full: known items go on being recommended.
            logger.warning("%d new items must wait for their text vectors: %s", len(texts), error)
            self._waiting = self._encoding | self._waiting
            self._encoding = {}
            await asyncio.sleep(_RETRY_S)
            return
        # What was delisted or changed again meanwhile has left `_encoding`.
        still = [place for place, item_id in enumerate(order) if item_id in self._encoding]
        offers = [self._encoding[order[place]] for place in still]
        listings = [offer.listing for offer in offers]
        self._shelved.update((offer.listing.item_id, offer.text) for offer in offers)
        kept: NDArray[np.float32] = vectors[still]
        written = self._write(partial(self._index.put, listings, kept))
        self._encoding = {}
        await written

    def _overtake(self, item_id: str) -> None:
        """Newer news of this item has come: what was on its way must not be applied any more."""
        self._waiting.pop(item_id, None)
        self._encoding.pop(item_id, None)

    def _write(self, job: Callable[[], None]) -> "asyncio.Future[None]":
        # Submitted at once, not when awaited: the writer's queue keeps the order of the decisions.
        return asyncio.get_running_loop().run_in_executor(self._writer, job)
