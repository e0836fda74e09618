"""What the model server knows of a text encoder."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

OnProgress = Callable[[int, int], None]
"""Called with (done, all)."""


class TextEncoder(Protocol):
    """Turns texts into vectors of length 1; the same text always gives the same vector, within float error."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the vectors would: weights, pooling, maximum length."""

    @property
    def dimension(self) -> int:
        """Width of the vectors."""

    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        """(len(texts), dimension), in the order of `texts`."""
