"""The pretrained MiniLM sentence encoder (all-MiniLM-L6-v2: 6 layers, width 384, English).

Mean pooling over the tokens and length 1, as its model card says. Read from local files only.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import BertConfig, BertModel

from model_server.text.encoder import OnProgress

DIMENSION: Final = 384
MAX_TOKENS: Final = 256
_BATCH: Final = 32
_PADDING_TOKEN: Final = 0


class MiniLm:
    """A `TextEncoder`.

    Args:
        folder: where config.json, tokenizer.json and model.safetensors lie, verified.
        fingerprint: see `TextEncoder.fingerprint`.
        device: where to compute.
    """

    dimension = DIMENSION

    def __init__(self, folder: Path, fingerprint: str, device: torch.device) -> None:
        self.fingerprint = fingerprint
        self._device = device
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        # Not from_pretrained: it prints a report about the pooling layer, which mean pooling does not have.
        config = BertConfig.from_json_file(str(folder / "config.json"))
        model = BertModel(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]  # transformers has no types
        weights = load_file(folder / "model.safetensors")
        fits = {name: weights[name] for name in model.state_dict()}
        model.load_state_dict(fits, strict=True)
        self._model = model.train(mode=False).to(device)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        """(len(texts), 384), of length 1, in the order of `texts`; texts beyond 256 tokens are cut."""
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        # Texts of like length share a batch: less padding, same vectors.
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        vectors = np.zeros((len(tokens), DIMENSION), dtype=np.float32)
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
        weights = attended[..., None].to(hidden.dtype)
        mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        pooled: NDArray[np.float32] = functional.normalize(mean, dim=-1).float().cpu().numpy()
        return pooled
