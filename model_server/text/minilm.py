"""The pretrained MiniLM sentence encoder (all-MiniLM-L6-v2: 6 layers, width 384, English).

Mean pooling over the tokens and length 1, as its model card says. Read from local files only.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig, BertModel

from model_server.text.encoder import OnProgress

MAX_TOKENS: Final = 256
_BATCH: Final = 32
_PADDING_TOKEN: Final = 0


class MiniLm:
    """A `TextEncoder`.

    Args:
        folder: where config.json, tokenizer.json and model.safetensors lie, verified.
        fingerprint: see `TextEncoder.fingerprint`.
        device: where to compute.
        changed: weights in the place of the pretrained ones, by name; empty: it is as it was pretrained.
    """

    def __init__(
        self, folder: Path, fingerprint: str, device: torch.device, changed: Mapping[str, Tensor] | None = None
    ) -> None:
        self.fingerprint = fingerprint
        self._device = device
        self._texts = Texts(folder)
        self._model = pretrained_bert(folder, device, changed)
        self.dimension: int = self._model.config.hidden_size

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        """(len(texts), 384), of length 1, in the order of `texts`; texts beyond 256 tokens are cut."""
        tokens = self._texts.tokens(texts)
        # Texts of like length share a batch: less padding, same vectors.
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        vectors = np.zeros((len(tokens), self.dimension), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            vectors[batch] = self._embed([tokens[index] for index in batch])
            if on_progress is not None:
                on_progress(start + len(batch), len(order))
        return vectors

    def _embed(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        longest = max(len(ids) for ids in tokens)
        padded = [ids + [_PADDING_TOKEN] * (longest - len(ids)) for ids in tokens]
        mask = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in tokens]
        ids = torch.tensor(padded, device=self._device)
        attended = torch.tensor(mask, device=self._device)
        hidden = self._model(input_ids=ids, attention_mask=attended).last_hidden_state
        vectors: NDArray[np.float32] = pooled(hidden, attended).float().cpu().numpy()
        return vectors


class Texts:
    """The encoder's tokenizer.

    Args:
        folder: with tokenizer.json.
    """

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The token numbers of each, at most 256."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]


def pretrained_bert(folder: Path, device: torch.device, changed: Mapping[str, Tensor] | None = None) -> BertModel:
    """The network in evaluation mode.

    Args:
        folder: with config.json and model.safetensors.
        device: where it computes.
        changed: weights in the place of the pretrained ones, by name.

    Raises:
        RuntimeError: a changed weight has another shape, or no such name.
    """
    # Not from_pretrained: it prints a report about the pooling layer, which mean pooling does not have.
    config = BertConfig.from_json_file(str(folder / "config.json"))
    model = BertModel(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]  # transformers has no types
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name: weights[name] for name in model.state_dict()} | dict(changed or {}), strict=True)
    model.train(mode=False)
    # Not model.to: transformers' own takes its first argument for a model, if one asks its types.
    torch.nn.Module.to(model, device)
    return model


def pooled(hidden: Tensor, real: Tensor) -> Tensor:
    """(B, L, 384) states and (B, L) where they are not padding -> (B, 384): their mean, of length 1."""
    weights = real[..., None].to(hidden.dtype)
    mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
    return functional.normalize(mean, dim=-1)
