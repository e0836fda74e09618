"""Champion and challenger on the same live events, each predicted from what was known just before it.

The STREAM protocol as `riverrun evaluate` has it: frozen networks, live histories, live counts in both. Both versions
were trained before the first of these events came, or the champion was not: that can only be to the challenger's harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from app.data.interactions import Dataset
from app.errors import DataError
from model_server.evaluation.asking import AS_IT_IS, ask, unchanged
from model_server.evaluation.facts import ItemFacts, item_facts
from model_server.evaluation.lists import coverage, exposure
from model_server.evaluation.live_version import Surroundings
from model_server.evaluation.protocols import StreamOptions, stream
from model_server.evaluation.recommender import riverrun
from model_server.judging.bootstrap import bootstrap
from model_server.judging.questions import Plan
from model_server.learning.gate import LEAST_USERS, Figures, Side
from model_server.model.sequences import NEGATIVE_KINDS
from model_server.registry.version import TrainedModel
from model_server.text.pretrained import EncoderOf

_SEED: Final = 0  # of the resamples


@dataclass(frozen=True, slots=True)
class Encoding:
    """What goes with every version: its text encoder, and `half_life_days` of popularity."""

    encoder_of: EncoderOf
    half_life_days: float


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What is asked of every version.

    Args:
        plan: the questions, one for each live event.
        items: (C,) the item of each.
        facts: of the items.
        catalog: the items.
        encoding: how their texts are read, and how fast what is popular fades.
    """

    plan: Plan
    items: NDArray[np.int32]
    facts: ItemFacts
    catalog: tuple[CatalogItem, ...]
    encoding: Encoding


def trial_of(dataset: Dataset, live: int, encoding: Encoding) -> Trial:
    """The newest `live` events are predicted, in their order.

    Raises:
        DataError: there is none, or nothing before them.
    """
    if not 0 < live < len(dataset.interactions):
        raise DataError(f"{live} live events of {len(dataset.interactions)} are nothing to judge on.")
    cut = len(dataset.interactions) - live
    plan = stream(dataset.interactions, StreamOptions(cut=cut))
    return Trial(
        plan, dataset.interactions.items[cut:], item_facts(dataset.catalog, plan.training), dataset.catalog, encoding
    )


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a version would have shown in C cases.

    Args:
        users: (C,) whose case it was.
        gains: (C, 2) NDCG@10 and HR@10.
        lists: (C, 10) the items, -1 where a list is shorter.
        kinds: (C,) what happened then, as `Interactions.kinds`.
        items: (C,) with which item.
    """

    users: NDArray[np.int64]
    gains: NDArray[np.float64]
    lists: NDArray[np.int32]
    kinds: NDArray[np.int8]
    items: NDArray[np.int32]

    def take(self, selection: slice | NDArray[np.bool_]) -> "Shown":
        """In the selected cases, in their order."""
        return Shown(
            self.users[selection],
            self.gains[selection],
            self.lists[selection],
            self.kinds[selection],
            self.items[selection],
        )


def shown_by(trial: Trial, model: TrainedModel) -> Shown:
    """What this version would have shown."""
    encoding = trial.encoding
    surroundings = Surroundings(trial.catalog, encoding.encoder_of(model.tuned), encoding.half_life_days)
    recommender = riverrun(model, surroundings, trial.plan.training)
    answers = ask(trial.plan, recommender, trial.facts, {AS_IT_IS: unchanged}, _nobody_watches)[AS_IT_IS]
    gains = np.stack([answers.metrics.ndcg10, answers.metrics.hr10], axis=1)
    return Shown(answers.users, gains, answers.lists, answers.kinds, trial.items)


def joined(parts: Sequence[Shown]) -> Shown:
    """One after the other."""
    return Shown(
        np.concatenate([part.users for part in parts]),
        np.concatenate([part.gains for part in parts]),
        np.concatenate([part.lists for part in parts]),
        np.concatenate([part.kinds for part in parts]),
        np.concatenate([part.items for part in parts]),
    )


def compare(facts: ItemFacts, champion: Shown, challenger: Shown, level: float) -> Figures:
    """The figures that the gate decides on. What somebody turned down is no right answer: such cases do not count.

    Args:
        facts: of the items.
        champion: what it showed.
        challenger: what it showed, to the same people at the same moments.
        level: of the intervals, such as .95.

    Raises:
        DataError: there is no other case.
    """
    wanted = ~np.isin(champion.kinds, [int(kind) for kind in NEGATIVE_KINDS])
    if not wanted.any():
        raise DataError(f"In all {len(wanted)} live events something is turned down: there is nothing to judge on.")
    champion, challenger = champion.take(wanted), challenger.take(wanted)
    gaps = challenger.gains - champion.gains
    ndcg10, hr10 = bootstrap(champion.users, gaps, _SEED, level=level)
    cold = facts.popularity[champion.items] == 0
    tells = len(np.unique(champion.users[cold])) >= LEAST_USERS
    return Figures(
        events=len(champion.users),
        users=len(np.unique(champion.users)),
        level=level,
        champion=_side(champion, len(facts)),
        challenger=_side(challenger, len(facts)),
        ndcg10=ndcg10,
        hr10=hr10,
        cold_hr10=bootstrap(champion.users[cold], gaps[cold, 1:], _SEED, level=level)[0] if tells else None,
    )


def _side(shown: Shown, items: int) -> Side:
    ndcg10, hr10 = shown.gains.mean(axis=0)
    return Side(
        hr10=float(hr10),
        ndcg10=float(ndcg10),
        coverage10=coverage(exposure(shown.lists, items)),
        empty_share=float((shown.lists[:, 0] < 0).mean()),
    )


def _nobody_watches(_done: int, _total: int) -> None:
    """Minutes at low priority: there is no bar."""
