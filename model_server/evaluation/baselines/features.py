"""What a catalog says of its items, as numbers for a network."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem, item_text
from model_server.text.encoder import TextEncoder

_MAX_LABELS: Final = 256


def item_features(catalog: Sequence[CatalogItem], encoder: TextEncoder) -> NDArray[np.float32]:
    """(N, F): text vector, the 256 most frequent categories and brands as 0 or 1, standardised log price (0: none)."""
    texts = encoder.encode([item_text(item) for item in catalog])
    prices = np.log1p(np.array([item.price or np.nan for item in catalog], dtype=np.float32))
    known = ~np.isnan(prices)
    spread = prices[known].std() if known.any() else 0.0
    level = np.where(known, (prices - prices[known].mean()) / spread, 0.0) if spread > 0 else np.zeros(len(catalog))
    return np.column_stack((texts, _labels(catalog), level)).astype(np.float32)


def _labels(catalog: Sequence[CatalogItem]) -> NDArray[np.float32]:
    """(N, number of labels) 0 or 1."""
    labels = [{*item.category, *((f"brand {item.brand}",) if item.brand else ())} for item in catalog]
    names, counts = np.unique([label for some in labels for label in sorted(some)], return_counts=True)
    kept = {str(name): place for place, name in enumerate(names[np.argsort(-counts, kind="stable")[:_MAX_LABELS]])}
    found = np.zeros((len(catalog), len(kept)), dtype=np.float32)
    for row, some in enumerate(labels):
        found[row, [kept[label] for label in some if label in kept]] = 1.0
    return found
