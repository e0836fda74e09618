"""Looks at the pipeline's `/metrics` once a second while somebody wants to know: one scraper, however many look."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from app.gateway.figures import Figures, History, Page
from app.gateway.scraping import page_of, processes_at
from app.gateway.sse import figures_message
from app.gateway.streams import Change, Listeners

KEY: Final = "pipeline"
"""What streams of figures listen to, in `Listeners` of their own."""

_EVERY_S: Final = 1.0
_IDLE_AFTER_S: Final = 30.0


class Pipeline:
    """See the module.

    Args:
        addresses: of `/metrics` pages.
        listeners: the streams of figures.
        count_streams: how many streams of lists are open.
        clock_ms: ms since 1970.
    """

    def __init__(
        self, addresses: Sequence[str], listeners: Listeners, count_streams: Callable[[], int],
        clock_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self._addresses = addresses
        self._listeners = listeners
        self._count_streams = count_streams
        self._clock_ms = clock_ms
        self._asked_s = -_IDLE_AFTER_S
        self._wanted = asyncio.Event()
        self._newest: asyncio.Future[Figures] = asyncio.get_running_loop().create_future()

    async def figures(self) -> Figures:
        """The newest figures; takes a second or two when nobody has looked for a while."""
        self.want()
        return await asyncio.shield(self._newest)

    def want(self) -> None:
        """Somebody looks."""
        self._asked_s = time.monotonic()
        self._wanted.set()

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self._wanted.wait()
            history = History()
            while self._listeners or time.monotonic() - self._asked_s < _IDLE_AFTER_S:
                began_s = time.monotonic()
                pages = await self._pages()
                history.add(pages, time.monotonic())
                if history.complete:
                    self._tell(history.figures(pages, self._count_streams(), self._clock_ms()))
                await asyncio.sleep(max(0.0, began_s + _EVERY_S - time.monotonic()))
            self._wanted.clear()
            self._newest = asyncio.get_running_loop().create_future()

    def _tell(self, figures: Figures) -> None:
        if self._newest.done():
            self._newest = asyncio.get_running_loop().create_future()
        self._newest.set_result(figures)
        message = figures_message(msgspec.json.encode(figures))
        self._listeners.tell(KEY, Change(None, lambda _change, _wanted: message))

    async def _pages(self) -> Mapping[str, Page]:
        there = await asyncio.gather(*(asyncio.to_thread(processes_at, address) for address in self._addresses))
        processes = [process for found in there for process in found]
        read = await asyncio.gather(*(asyncio.to_thread(page_of, process) for process in processes))
        return {process.address: page for process, page in zip(processes, read, strict=True) if page is not None}
