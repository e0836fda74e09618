"""Whether fine-tuning has helped, on the validation cases that chose nothing."""

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
    return _compared(np.arange(len(cases)), before, after, seed)


def measured_cold(material: Material, tuned: Finetuned, seed: int) -> Measured:
    """The moments of every second user."""
    cases = material.cold.take(np.flatnonzero(material.cold.users % 2 == 1))
    before, after = (cases.measure(vectors) for vectors in (tuned.pretrained, tuned.vectors))
    return _compared(cases.users, before, after, seed)


def _compared(users: NDArray[np.int64], before: CaseMetrics, after: CaseMetrics, seed: int) -> Measured:
    gain = bootstrap(users, (after.ndcg10 - before.ndcg10)[:, None], seed)[0]
    return Measured(
        cases=len(users),
        pretrained_hr10=_mean(before.hr10),
        tuned_hr10=_mean(after.hr10),
        pretrained_ndcg10=_mean(before.ndcg10),
        tuned_ndcg10=_mean(after.ndcg10),
        low=gain.low,
        high=gain.high,
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
