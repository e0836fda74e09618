"""The encoder cut in two: layers that stay as they are, computed once per text, and layers that learn.

What the lower layers say of a text is kept in float16 (27 KB for 35 tokens), so a step costs the upper ones only. All
multiply in bfloat16 where the processor knows it: a third of the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model_server.text.encoder import OnProgress
from model_server.text.minilm import Texts, pooled, pretrained_bert
from model_server.training.execution import cpu_has_bfloat16

_AT_ONCE: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class LowerStates:
    """What the frozen layers say of N texts.

    Args:
        states: (T, 384) float16, one row per token, text behind text.
        starts: (N + 1,) where each text begins.
    """

    states: Tensor
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lengths(self) -> NDArray[np.int64]:
        """(N,) tokens of each text."""
        return np.diff(self.starts)

    def padded(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """(B, L, 384) float32 states of these texts, and (B, L) bool: where they are not padding."""
        lengths = torch.from_numpy(self.lengths()[rows])
        pieces = [self.states[self.starts[row] : self.starts[row + 1]].float() for row in rows.tolist()]
        real = torch.arange(int(lengths.max())) < lengths[:, None]
        return nn.utils.rnn.pad_sequence(pieces, batch_first=True), real.to(self.states.device)


class UpperLayers(nn.Module):
    """The last layers, pooling and length 1.

    Args:
        folder: of the pretrained encoder.
        count: how many layers.
    """

    def __init__(self, folder: Path, count: int) -> None:
        super().__init__()
        bert = pretrained_bert(folder, torch.device("cpu"))
        self._first = len(bert.encoder.layer) - count
        self.layer = nn.ModuleList(bert.encoder.layer[self._first :])

    def forward(self, states: Tensor, real: Tensor) -> Tensor:
        """(B, L, 384), (B, L) -> (B, 384) of length 1."""
        with _half(states.device):
            for layer in self.layer:
                states = layer(states, real[:, None, None, :])
        return pooled(states.float(), real)

    def weights(self) -> dict[str, Tensor]:
        """A copy, by their names in the whole encoder."""
        return {self._name(name): weight.detach().clone() for name, weight in self.state_dict().items()}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """What `weights` gave."""
        self.load_state_dict({name: weights[self._name(name)] for name in self.state_dict()})

    def _name(self, own: str) -> str:
        _, number, rest = own.split(".", 2)
        return f"encoder.layer.{self._first + int(number)}.{rest}"

    @torch.inference_mode()
    def encode(self, lower: LowerStates, rows: NDArray[np.int64]) -> Tensor:
        """(len(rows), 384), in the order of `rows`; without dropout."""
        was_training = self.training
        self.train(mode=False)
        order = np.argsort(lower.lengths()[rows], kind="stable")
        vectors = torch.zeros(len(rows), lower.states.shape[1], device=lower.states.device)
        for start in range(0, len(rows), _AT_ONCE):
            chunk = order[start : start + _AT_ONCE]
            vectors[torch.from_numpy(chunk)] = self(*lower.padded(rows[chunk]))
        self.train(mode=was_training)
        return vectors


@torch.inference_mode()
def lower_states(
    folder: Path, texts: Sequence[str], count: int, device: torch.device, on_progress: OnProgress
) -> LowerStates:
    """What all but the last `count` layers say of these texts.

    Args:
        folder: of the pretrained encoder.
        texts: N of them.
        count: the layers that are left for `UpperLayers`.
        device: where to compute and keep it.
        on_progress: told how many texts are done.
    """
    bert = pretrained_bert(folder, device)
    bert.encoder.layer = bert.encoder.layer[: len(bert.encoder.layer) - count]
    tokens = Texts(folder).tokens(texts)
    lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    states = torch.empty(int(starts[-1]), bert.config.hidden_size, dtype=torch.float16, device=device)
    order = np.argsort(lengths, kind="stable").tolist()
    for begin in range(0, len(order), _AT_ONCE):
        chunk = order[begin : begin + _AT_ONCE]
        ids = nn.utils.rnn.pad_sequence([torch.tensor(tokens[row]) for row in chunk], batch_first=True).to(device)
        real = torch.arange(ids.shape[1]) < torch.from_numpy(lengths[chunk])[:, None]
        with _half(device):
            hidden = bert(input_ids=ids, attention_mask=real.long().to(device)).last_hidden_state
        for row, said in zip(chunk, hidden, strict=True):
            states[starts[row] : starts[row + 1]] = said[: lengths[row]].half()
        on_progress(begin + len(chunk), len(order))
    return LowerStates(states, starts)


def _half(device: torch.device) -> torch.autocast:
    knows = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_has_bfloat16()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=knows)
