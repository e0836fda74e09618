"""A text encoder that encodes no text twice, in this process or another."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from model_server.text.encoder import OnProgress, TextEncoder
from model_server.text.store import EmbeddingStore, text_key

# A run that is stopped keeps what it has encoded so far, in steps of this many texts.
_CHUNK = 256


class CachedTextEncoder:
    """A `TextEncoder` in front of another one, with the embeddings kept on disk.

    Args:
        fingerprint: of the encoder behind; known without loading its weights.
        dimension: of the encoder behind.
        load: loads the encoder behind; called once, when a text is not in the store yet.
        store: where the embeddings are kept.
    """

    def __init__(
        self, fingerprint: str, dimension: int, load: Callable[[], TextEncoder], store: EmbeddingStore
    ) -> None:
        self._fingerprint = fingerprint
        self._dimension = dimension
        self._load = load
        self._store = store
        self._encoder: TextEncoder | None = None
        self._loading = threading.Lock()  # model versions that are served side by side share the weights

    @property
    def fingerprint(self) -> str:
        """As `TextEncoder.fingerprint`."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """As `TextEncoder.dimension`."""
        return self._dimension

    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        """(len(texts), dimension); only texts that are not in the store are encoded."""
        keys = [text_key(self._fingerprint, text) for text in texts]
        vectors = self._store.read(list(dict.fromkeys(keys)))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
        todo = list(missing.items())
        for start in range(0, len(todo), _CHUNK):
            chunk = todo[start : start + _CHUNK]
            encoded = self._loaded().encode([text for _, text in chunk])
            fresh = {key: vector for (key, _), vector in zip(chunk, encoded, strict=True)}
            self._store.write(fresh)
            vectors.update(fresh)
            if on_progress is not None:
                on_progress(start + len(chunk), len(todo))
        return np.stack([vectors[key] for key in keys]) if keys else np.zeros((0, self._dimension), np.float32)

    def _loaded(self) -> TextEncoder:
        with self._loading:
            if self._encoder is None:
                self._encoder = self._load()
            return self._encoder
