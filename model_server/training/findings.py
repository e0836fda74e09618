"""What validation found out about a trained network, for its model card: intervals, and where it is weak."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.judging.bootstrap import bootstrap
from model_server.judging.metrics import CUTOFF, ranking_metrics
from model_server.training.validation import ValidationSplit

BY_HISTORY: Final = "validation_hr10_by_history"
BY_POPULARITY: Final = "validation_hr10_by_popularity"
_HISTORY_BOUNDS: Final = (5, 10, 20, 50)
_SEED: Final = 0


def findings(ranks: NDArray[np.float64], split: ValidationSplit, items: int) -> dict[str, float]:
    """Name -> value: 95 % intervals of the three metrics, and HR@10 with its cases by slice, `<metric>/<slice>`.

    Args:
        ranks: (U,) of the validation targets.
        split: what they were validated on.
        items: in the ID table.
    """
    found = _intervals(ranks)
    lengths = np.array([len(history) for history in split.histories], dtype=np.int64)
    found |= _slices(BY_HISTORY, ranks, np.digitize(lengths, _HISTORY_BOUNDS, right=True), _history_names())
    counts = np.bincount(split.training.items, minlength=items)
    # Quarters of the catalog by how often an item occurs in training; equal counts fall into the rarer quarter.
    bounds = np.quantile(counts, [0.25, 0.5, 0.75])
    names = ("rarest quarter", "second quarter", "third quarter", "most popular quarter")
    return found | _slices(BY_POPULARITY, ranks, np.searchsorted(bounds, counts[split.targets]), names)


def slices_of(metrics: Mapping[str, float], name: str) -> dict[str, tuple[float, int]]:
    """What `findings` put under this name: slice -> HR@10 and cases."""
    prefix = f"{name}/"
    found = {key.removeprefix(prefix): value for key, value in metrics.items() if key.startswith(prefix)}
    return {key: (value, int(metrics[f"{name}_cases/{key}"])) for key, value in found.items()}


def _intervals(ranks: NDArray[np.float64]) -> dict[str, float]:
    hits = ranks <= CUTOFF
    gains = hits, np.where(hits, 1 / np.log2(ranks + 1), 0.0), np.where(hits, 1 / ranks, 0.0)
    intervals = bootstrap(np.arange(len(ranks)), np.stack(gains, axis=1).astype(np.float64), _SEED)
    found: dict[str, float] = {}
    for name, interval in zip(("hr10", "ndcg10", "mrr10"), intervals, strict=True):
        found |= {f"validation_{name}_low": interval.low, f"validation_{name}_high": interval.high}
    return found


def _slices(
    name: str, ranks: NDArray[np.float64], numbers: NDArray[np.int64], names: tuple[str, ...]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for number, label in enumerate(names):
        mine = ranking_metrics(ranks[numbers == number])
        if mine.cases:
            found |= {f"{name}/{label}": mine.hr10, f"{name}_cases/{label}": float(mine.cases)}
    return found


def _history_names() -> tuple[str, ...]:
    lows = (1, *(bound + 1 for bound in _HISTORY_BOUNDS))
    ranges = [f"{low} to {high}" for low, high in zip(lows, _HISTORY_BOUNDS, strict=False)]
    return (*ranges, f"more than {_HISTORY_BOUNDS[-1]}")
