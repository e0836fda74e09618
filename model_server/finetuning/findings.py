"""Whether fine-tuning has helped, on the validation cases that chose nothing.

Held-out items are few, and many cases share one: what is said of them is said of other items only as far as it holds
when the items are drawn again. So intervals are the wider ones of drawing users and of drawing items.
"""

import numpy as np
from numpy.typing import NDArray

from model_server.finetuning.loop import Finetuned
from model_server.finetuning.material import Material
from model_server.judging.bootstrap import bootstrap
from model_server.judging.metrics import CaseMetrics
from model_server.text.tuned import Measured


def measured_queries(material: Material, tuned: Finetuned, seed: int) -> Measured:
    """Every second query."""
    cases = material.queries.take(np.arange(1, len(material.queries), 2))
    before, after = (cases.measure(vectors, material.items) for vectors in (tuned.pretrained, tuned.vectors))
    return compared((cases.items,), before, after, seed)


def measured_cold(material: Material, tuned: Finetuned, seed: int) -> Measured:
    """The moments of every second user."""
    cases = material.cold.take(np.flatnonzero(material.cold.users % 2 == 1))
    before, after = (cases.measure(vectors) for vectors in (tuned.pretrained, tuned.vectors))
    return compared((cases.targets, cases.users), before, after, seed)


def compared(groups: tuple[NDArray[np.int64], ...], before: CaseMetrics, after: CaseMetrics, seed: int) -> Measured:
    """The gain; each of `groups` is (C,) what is drawn again, the first one the items."""
    gains = (after.ndcg10 - before.ndcg10)[:, None]
    drawn = [bootstrap(group, gains, seed)[0] for group in groups]
    return Measured(
        cases=len(gains),
        items=len(np.unique(groups[0])),
        pretrained_hr10=_mean(before.hr10),
        tuned_hr10=_mean(after.hr10),
        pretrained_ndcg10=_mean(before.ndcg10),
        tuned_ndcg10=_mean(after.ndcg10),
        low=min(gain.low for gain in drawn),
        high=max(gain.high for gain in drawn),
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
