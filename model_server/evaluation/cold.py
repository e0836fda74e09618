"""COLD: the questions of LOO, asked of models that never saw some of the items.

A seeded share of the items is new: nothing that was ever done with them is learned from. What a user did with such
items before stays in the history that is told, as in a shop whose newest items came after the training: only the model
has not seen them. The report tells apart where a new item is right (`cold`) and where one that was learned is (`warm`).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions, by_user
from model_server.evaluation.protocols import leave_one_out
from model_server.judging.questions import Plan


def new_items(items: int, share: float, seed: int) -> NDArray[np.bool_]:
    """(items,) which of them are new: the given share, rounded down."""
    new = np.zeros(items, np.bool_)
    new[np.random.default_rng(seed).choice(items, int(items * share), replace=False)] = True
    return new


def cold_plan(log: Interactions, share: float, seed: int, *, repeats: bool = False) -> Plan:
    """Every user's last event, from a training part in which a share of the items does not occur."""
    new = new_items(len(log.item_ids), share, seed)
    whole = leave_one_out(log, repeats=repeats)
    last = np.array([positions[-1] for positions in by_user(log) if len(positions) > 1], np.intp)
    cold = new[log.items[last]]
    return replace(
        whole,
        training=whole.training.take(~new[whole.training.items]),
        parameters={**whole.parameters, "new_share": share, "item_seed": seed, "new_items": int(new.sum())},
        groups={"cold": cold, "warm": ~cold},
    )
