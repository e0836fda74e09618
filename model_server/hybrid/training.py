"""From a trained network to what it is blended with: counts at the cut, and weights chosen on validation."""

from typing import Final

import numpy as np
import torch

from app.data.interactions import Interactions
from app.data.popularity import decayed_counts
from app.surfaces.marks import Pairs
from model_server.counts.covisitation import READING as COVISITATION_READING
from model_server.counts.entries import Entries, Readings, newest_readings, read_table
from model_server.counts.neighbours import Reading
from model_server.hybrid.blend import Blended
from model_server.hybrid.choice import cases_of, choose
from model_server.hybrid.counting import count, options_for
from model_server.hybrid.parts import BlendGain, HybridParts
from model_server.hybrid.sources import POPULAR, RETRIEVED
from model_server.hybrid.worths import Offers, retrieved
from model_server.model.members import Network
from model_server.model.sequences import NEGATIVE_KINDS, first_read, padded_batch
from model_server.training.validation import ValidationSplit

_SOURCES: Final = (Blended.MODEL, Blended.COVISITATION, Blended.NEIGHBOURS, Blended.POPULARITY)
_BATCH: Final = 128
_SEED: Final = 0


def fit_hybrid(
    network: Network,
    item_vectors: torch.Tensor,
    split: ValidationSplit,
    everything: Interactions,
    half_life_days: float,
) -> HybridParts:
    """Count, and choose the weights.

    They are chosen with counts of the training part of the split; the counts that are kept are of everything.

    Args:
        network: trained, in evaluation mode.
        item_vectors: (N, D), by row.
        split: items are rows of the ID table.
        everything: what may be known at the cut; items by row, -1 for one that has none.
        half_life_days: of popularity.
    """
    items = len(item_vectors)
    offers = _offers(split, items, _by_network(network, item_vectors, split), half_life_days)
    choice = choose(cases_of(offers, split.targets), _SOURCES, np.random.default_rng(_SEED))
    counted = count(everything, items)
    return HybridParts(
        covisitation=counted.covisitation.snapshot(items),
        options=options_for(items),
        neighbours=counted.neighbours,
        reading=counted.reading,
        weights=choice.weights,
        gain=BlendGain(
            users=choice.alone.cases,
            network_hr10=choice.alone.hr10,
            network_ndcg10=choice.alone.ndcg10,
            blended_hr10=choice.blended.hr10,
            blended_ndcg10=choice.blended.ndcg10,
        ),
    )


def _offers(split: ValidationSplit, items: int, by_network: Entries, half_life_days: float) -> Offers:
    """What `_SOURCES` offer to the validation users, knowing nothing but the training part."""
    log, users = split.training, len(split.histories)
    counted = count(log, items)
    lengths = np.array([len(history) for history in split.histories], np.int64)
    positions = np.concatenate([*split.histories, np.zeros(0, np.intp)])
    whose, had = np.repeat(np.arange(users), lengths), log.items[positions].astype(np.int64)
    read = ~np.isin(log.kinds[positions], sorted(NEGATIVE_KINDS))

    def readings(reading: Reading) -> Readings:
        return newest_readings(whose[read], had[read], reading.length, reading.recency)

    sources = (
        by_network,
        counted.covisitation.read(readings(COVISITATION_READING)),
        read_table(counted.neighbours, readings(counted.reading)),
        _by_popularity(log, half_life_days, users, items),
    )
    return Offers(users, sources, Pairs(whose, had), np.ones(items, np.bool_))


@torch.inference_mode()
def _by_network(network: Network, item_vectors: torch.Tensor, split: ValidationSplit) -> Entries:
    log, parts = split.training, []
    for start in range(0, len(split.histories), _BATCH):
        histories = split.histories[start : start + _BATCH]
        first = first_read(np.array([len(history) for history in histories]), network.config.max_length)
        newest = [history[skipped:] for history, skipped in zip(histories, first, strict=True)]
        flat = np.concatenate(newest)
        lengths = np.array([len(history) for history in newest], np.int64)
        columns = (log.items[flat].astype(np.int64), log.kinds[flat].astype(np.int64), log.ts_ms[flat])
        sequences = padded_batch(*columns, lengths).to(item_vectors.device)
        scores = network.scores(network.encode_users(sequences, item_vectors).users, item_vectors).cpu()
        for row, history in enumerate(histories):
            scores[row, log.items[history]] = float("-inf")
        best = scores.topk(min(RETRIEVED, scores.shape[1]))
        values = best.values.double().numpy()
        found = retrieved(best.indices.numpy(), values, np.isfinite(values).sum(axis=1))
        parts.append(Entries(found.users + start, found.items, found.worth))
    return Entries(
        np.concatenate([part.users for part in parts] or [np.zeros(0, np.int64)]),
        np.concatenate([part.items for part in parts] or [np.zeros(0, np.int64)]),
        np.concatenate([part.worth for part in parts] or [np.zeros(0)]),
    )


def _by_popularity(log: Interactions, half_life_days: float, users: int, items: int) -> Entries:
    """The same for everybody: what was most popular when the training part ended."""
    if not len(log):
        return Entries(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    counts = decayed_counts(log, int(log.ts_ms[-1]), half_life_days)[:items]
    head = np.argsort(-counts, kind="stable")[:POPULAR]
    return Entries(np.repeat(np.arange(users), len(head)), np.tile(head, users), np.tile(counts[head], users))
