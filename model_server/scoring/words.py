"""The reasons that candidates are shown with, each worded once: users share them, and batch follows batch."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.surfaces import reasons
from app.surfaces.marks import Anchors
from app.surfaces.surface import Source
from model_server.hybrid.blend import Blended
from model_server.items.view import IndexView
from model_server.ranking.spoken import OWN

_NO_ANCHOR: Final = -1
_IS_POPULAR: Final = -2
_IS_OWN: Final = -3
_WORDED: Final = (Source.FOR_YOU, Source.AGAIN, Source.NEW)
_MOST: Final = 100_000  # reasons of about 120 bytes; then they are made anew

Stands = NDArray[np.int64]
"""How a user stands to an anchor, in one number: attachment * items + slot."""


def stands_of(anchors: Anchors, view: IndexView) -> Stands:
    """(B, A), of this view's items; every user who has no anchor at all stands the same."""
    return np.where(anchors.real, anchors.attachments * len(view.ids) + anchors.items, _NO_ANCHOR)


def said_by(sources: NDArray[np.int64], names: Sequence[str], stands: Stands) -> Stands:
    """The stands of items to which these sources, places in `names`, contributed most.

    What is popular is just that, and so is what the user had before.
    """
    for name, stand in ((Blended.POPULARITY.value, _IS_POPULAR), (OWN, _IS_OWN)):
        if name in names:
            stands = np.where(sources == names.index(name), stand, stands)
    return stands


class Words(dict[int, str]):
    """`words[stand]`: why a source shows what is nearest to such an anchor."""

    def __init__(self, source: Source, titles: Sequence[str]) -> None:
        super().__init__()
        self._source = source
        self._titles = titles

    def __missing__(self, stand: int) -> str:
        if len(self) >= _MOST:
            self.clear()
        words = self[stand] = self._worded(stand)
        return words

    def _worded(self, stand: int) -> str:
        if stand == _IS_POPULAR:
            return reasons.POPULAR
        if stand == _IS_OWN:
            return reasons.AGAIN
        attachment, slot = divmod(stand, len(self._titles))
        title = "" if stand == _NO_ANCHOR else self._titles[slot]
        if not title:  # there is no anchor, or it left the catalog before this server started
            return reasons.NEW if self._source is Source.NEW else reasons.FOR_YOU
        return reasons.new_like(title) if self._source is Source.NEW else reasons.because(attachment, title)


class Reasons:
    """The words of the newest index."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._words: dict[Source, Words] = {}

    def now(self, view: IndexView) -> dict[Source, Words]:
        """By source, for `stands_of` the same view."""
        if self._version != view.version:
            self._version = view.version
            self._words = {source: Words(source, view.titles) for source in _WORDED}
        return self._words
