"""SASRec, GRU4Rec and BERT4Rec: RecBole's own model classes and parameters, trained and ranked here.

Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018; Hidasi et al., "Session-based recommendations
with recurrent neural networks", ICLR 2016; Sun et al., "BERT4Rec", CIKM 2019; Zhao et al., "RecBole", CIKM 2021.

RecBole itself trains the first two on one prefix of a history at a time. Here the loss is taken at every position of a
chunk, of the same classes' outputs: the same objective for a fiftieth of the time. RecBole is a dependency group.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from app.data.interactions import Interactions
from app.errors import SettingsError
from model_server.evaluation.baselines.context import Context, Frozen
from model_server.evaluation.baselines.descent import PADDING, batches, chunks, minimise, padded, seeded
from model_server.judging.cases import Cases, Fit

_LENGTH: Final = 50
_MASKED: Final = 0.2
_LAST_ONLY: Final = 0.5
_BATCH: Final = 16
_COMMON: Final[Mapping[str, object]] = {
    "USER_ID_FIELD": "user",
    "ITEM_ID_FIELD": "item",
    "LIST_SUFFIX": "_list",
    "ITEM_LIST_LENGTH_FIELD": "length",
    "NEG_PREFIX": "neg_",
    "MAX_ITEM_LIST_LENGTH": _LENGTH,
    "MASK_ITEM_SEQ": "masked",
    "POS_ITEMS": "wanted",
    "NEG_ITEMS": "unused",
    "MASK_INDEX": "places",
    "loss_type": "CE",
}
_TRANSFORMER: Final[Mapping[str, object]] = {
    "n_layers": 2,
    "n_heads": 2,
    "hidden_size": 64,
    "inner_size": 256,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "initializer_range": 0.02,
    "mask_ratio": _MASKED,
}


@dataclass(frozen=True, slots=True)
class _Recipe:
    """A class of RecBole's and what it is made with: RecBole's defaults, but for the dropout of `sasrec`.

    `chunk` is how many items of a history come before the last one of a chunk.
    """

    class_name: str
    parameters: Mapping[str, object]
    loss: Callable[[Any, Tensor, np.random.Generator], Tensor]
    chunk: int
    epochs: int


@dataclass(frozen=True, slots=True)
class _Catalog:
    """What RecBole's models ask of their data set."""

    items: int

    def num(self, _: str) -> int:
        return self.items + 1


def sasrec(context: Context) -> Fit:
    """SASRec, full softmax."""
    dropout = {"hidden_dropout_prob": 0.3, "attn_dropout_prob": 0.3}
    return _fit(context, _Recipe("SASRec", {**_TRANSFORMER, **dropout}, _next_loss, _LENGTH, epochs=20))


def gru4rec(context: Context) -> Fit:
    """GRU4Rec, full softmax."""
    sizes = {"embedding_size": 64, "hidden_size": 128, "num_layers": 1, "dropout_prob": 0.3}
    return _fit(context, _Recipe("GRU4Rec", sizes, _next_loss, _LENGTH, epochs=20))


def bert4rec(context: Context) -> Fit:
    """BERT4Rec, full softmax at the masked places."""
    dropout = {"hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.2}
    return _fit(context, _Recipe("BERT4Rec", {**_TRANSFORMER, **dropout}, _masked_loss, _LENGTH - 1, epochs=40))


def _fit(context: Context, recipe: _Recipe) -> Fit:
    recbole_class = _find(recipe.class_name)

    class EveryPosition(recbole_class):  # type: ignore[misc, valid-type]  # RecBole has no types
        """While it trains, the output is that of all positions, not of the last one."""

        def gather_indexes(self, output: Tensor, gather_index: Tensor) -> Tensor:
            last: Tensor = super().gather_indexes(output, gather_index)
            return output if self.training else last

    def fit(part: Interactions) -> Frozen:
        with seeded(context.seed, context.device) as rng:
            config = {**_COMMON, **recipe.parameters, "device": context.device}
            model = EveryPosition(config, _Catalog(len(part.item_ids))).to(context.device)

            def losses() -> Iterator[Tensor]:
                for _ in range(recipe.epochs):
                    for batch in batches(chunks(part, recipe.chunk, rng), _BATCH):
                        yield recipe.loss(model, batch.to(context.device), rng)

            minimise(model, losses(), learning_rate=1e-3)
        return Frozen(lambda cases: _scores(model, cases, context.device))

    return fit


def _next_loss(model: Any, batch: Tensor, _: np.random.Generator) -> Tensor:
    hidden = model(batch[:, :-1], (batch[:, :-1] != PADDING).sum(dim=1))
    wanted = batch[:, 1:]
    known = wanted != PADDING
    return functional.cross_entropy(hidden[known] @ model.item_embedding.weight.T, wanted[known])


def _masked_loss(model: Any, items: Tensor, rng: np.random.Generator) -> Tensor:
    """RecBole's own loss; in half of the chunks only the last item is masked, as when it is asked for the next one."""
    most = model.mask_item_length
    places = torch.zeros(len(items), most, dtype=torch.int64, device=items.device)
    for row, length in enumerate((items != PADDING).sum(dim=1).tolist()):
        # Place 0 means none to RecBole, so the first item is never masked.
        chosen = 1 + np.flatnonzero(rng.random(length - 1) < _MASKED)
        if not len(chosen) or rng.random() < _LAST_ONLY:
            chosen = np.array([length - 1])
        kept = torch.from_numpy(rng.permutation(chosen)[:most])
        places[row, : len(kept)] = kept
    wanted = items.gather(1, places) * (places > 0)
    masked = items.scatter(1, places, torch.where(places > 0, model.mask_token, items[:, :1]))
    loss: Tensor = model.calculate_loss({"masked": masked, "wanted": wanted, "unused": wanted, "places": places})
    return loss


@torch.inference_mode()
def _scores(model: Any, cases: Cases, device: torch.device) -> NDArray[np.floating]:
    """(B, N); zeros for an empty history."""
    items = padded([history.items for history in cases.histories], _LENGTH).to(device)
    lengths = (items != PADDING).sum(dim=1)
    asked = {"item_list": items, "length": lengths.clamp(min=1)}
    scores: NDArray[np.floating] = (model.full_sort_predict(asked)[:, 1:] * (lengths > 0)[:, None]).cpu().numpy()
    return scores


def _find(class_name: str) -> Any:
    """The class, from RecBole, whose import takes seconds.

    Raises:
        SettingsError: RecBole is not installed.
    """
    try:
        return getattr(import_module("recbole.model.sequential_recommender"), class_name)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{class_name} needs RecBole, of which {error.name} is missing.", hint="Run: uv sync --group recbole"
        ) from error
