"""BiLSTM with attention over query text and item text: the query is what the titles of the newest items say.

Lin et al., "A structured self-attentive sentence embedding", ICLR 2017 (BiLSTM, attention over its states), used as a
siamese network (Mueller and Thyagarajan, AAAI 2016) on pairs that the data gives: history text and next item's text.
Only texts are read, no ids: what it finds for an item it finds for a new item with the same words, too.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from app.contracts.catalog import item_text
from app.data.interactions import Interactions
from model_server.evaluation.baselines.context import Context, Frozen
from model_server.evaluation.baselines.descent import minimise, seeded
from model_server.evaluation.baselines.pairs import HistoryEnd, history_ends, newest_first
from model_server.judging.cases import Cases, Fit

_WORDS: Final = 20_000
_ITEM_WORDS: Final = 16
_QUERY_ITEMS: Final = 5
_WIDTH: Final = 64
_BATCH: Final = 128
_WORD: Final = re.compile(r"\w+")


class Words:
    """Texts as numbers of words: 0 is padding, 1 any word outside the vocabulary.

    Args:
        texts: whose most frequent 20,000 words are the vocabulary.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
        self._numbers = {word: number for number, (word, _) in enumerate(counts.most_common(_WORDS), start=2)}

    def __len__(self) -> int:
        return len(self._numbers) + 2

    def of(self, text: str) -> list[int]:
        """The first 16 words; at least one number."""
        return [self._numbers.get(word, 1) for word in _WORD.findall(text.lower())[:_ITEM_WORDS]] or [1]


class TextTower(nn.Module):
    """Texts of words to unit vectors."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, _WIDTH, padding_idx=0)
        self.recurrence = nn.LSTM(_WIDTH, _WIDTH, batch_first=True, bidirectional=True)
        self.attention = nn.Sequential(nn.Linear(2 * _WIDTH, _WIDTH), nn.Tanh(), nn.Linear(_WIDTH, 1))
        self.output = nn.Linear(2 * _WIDTH, 2 * _WIDTH)
        self.log_temperature = nn.Parameter(torch.tensor(-2.0))

    def forward(self, texts: Sequence[list[int]]) -> Tensor:
        """(len(texts), D)."""
        device = self.log_temperature.device
        lengths = torch.tensor([len(text) for text in texts])
        rows = nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts], batch_first=True).to(device)
        packed = pack_padded_sequence(self.words(rows), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.recurrence(packed)[0], batch_first=True)
        looks = self.attention(states)[..., 0].masked_fill(rows == 0, -torch.inf).softmax(dim=1)
        return functional.normalize(self.output((looks[..., None] * states).sum(dim=1)), dim=-1)


def bilstm(context: Context, pairs: int = 150_000) -> Fit:
    """One softmax over the items of a batch, corrected for how often an item is there because it is popular (logQ)."""
    texts = [item_text(item) for item in context.catalog]

    def fit(part: Interactions) -> Frozen:
        words = Words(texts)
        numbers = [words.of(text) for text in texts]
        with seeded(context.seed, context.device) as rng:
            tower = TextTower(len(words)).to(context.device)
            minimise(tower, _losses(tower, numbers, part, history_ends(part, pairs, rng)), learning_rate=2e-3)
        items = _vectors(tower, numbers)
        return Frozen(lambda cases: _scores(tower, numbers, items, cases))

    return fit


def _losses(
    tower: TextTower, numbers: Sequence[list[int]], part: Interactions, ends: Sequence[HistoryEnd]
) -> Iterator[Tensor]:
    frequency = torch.from_numpy(np.bincount(part.items, minlength=len(numbers)) / len(part)).log()
    for start in range(0, len(ends), _BATCH):
        batch = ends[start : start + _BATCH]
        wanted = np.unique([end.item for end in batch])
        places = torch.from_numpy(np.searchsorted(wanted, [end.item for end in batch]))
        queries = tower([_query(numbers, end.before) for end in batch])
        logits = queries @ tower([numbers[item] for item in wanted]).T / tower.log_temperature.exp()
        often = frequency[torch.from_numpy(wanted)].to(logits)
        yield functional.cross_entropy(logits - often, places.to(logits.device))


def _query(numbers: Sequence[list[int]], history: NDArray[np.int32]) -> list[int]:
    """The words of the newest items, newest first; the unknown word for nobody."""
    return [number for item in newest_first(history, _QUERY_ITEMS) for number in numbers[item]] or [1]


@torch.inference_mode()
def _vectors(tower: TextTower, texts: Sequence[list[int]]) -> Tensor:
    return torch.cat([tower(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)])


def _scores(tower: TextTower, numbers: Sequence[list[int]], items: Tensor, cases: Cases) -> NDArray[np.floating]:
    """(B, N) cosines."""
    queries = _vectors(tower, [_query(numbers, history.items) for history in cases.histories])
    scores: NDArray[np.floating] = (queries @ items.T).cpu().numpy()
    return scores
