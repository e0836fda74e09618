"""The lists that a shopper gets, behind the interface through which models and baselines are compared.

The scorer of the model server makes them: sources in their order, reserved places for new items among them. So a model
is judged by what a page shows, the first surface's first places, and not by scores behind it.
"""

from itertools import count
from math import isnan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.interests.state import Interaction, Kind, StateCause, UserState
from app.surfaces.surface import Surfaces, load_surfaces
from app.surfaces.touches import History, history_of
from model_server.evaluation.recommender import Surroundings, VersionRecommender, firsts, told_of
from model_server.judging.cases import Cases, Recommender
from model_server.popularity.live import LivePopularity
from model_server.registry.version import TrainedModel
from model_server.scoring.scorer import Scorer

_CHUNK: Final = 128
_REFRESH_S: Final = 60.0


def served_lists(model: TrainedModel, surroundings: Surroundings, part: Interactions) -> Recommender:
    """The first surface as riverrun ships it, made of this version.

    Args:
        model: the version's.
        surroundings: see there.
        part: what happened until now.
    """
    return ServedLists(model, surroundings, part, load_surfaces())


class ServedLists:
    """See the module.

    Args:
        model: the version's.
        surroundings: the catalogue, all of it for sale, and how its texts are read.
        part: what happened until now.
        surfaces: the lists; the first one is judged.
    """

    online = True

    def __init__(self, model: TrainedModel, surroundings: Surroundings, part: Interactions, surfaces: Surfaces) -> None:
        self._blend = VersionRecommender(model, model.hybrid, surroundings, part)
        # A ranking is made anew whenever it is asked for: seconds mean nothing here.
        self._popularity = LivePopularity(
            model.popularity, surroundings.half_life_days, self._blend.index, count(step=int(_REFRESH_S)).__next__
        )
        self._home = surfaces.surfaces[0].name
        only_home = Surfaces(surfaces.surfaces[:1], surfaces.rating_scale)
        device = next(model.network.parameters()).device
        self._scorer = Scorer(self._blend.model, self._blend.index, only_home, lambda: self._popularity.ranking, device)
        self._number = {item.item_id: number for number, item in enumerate(surroundings.catalog)}

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N): minus the place for what is in the list, minus infinity for everything else."""
        scores = np.full((len(cases), len(self._number)), -np.inf)
        for start in range(0, len(cases), _CHUNK):
            chunk = slice(start, min(start + _CHUNK, len(cases)))
            ids = [
                f"{user}" if first else f"{user} {row}" for row, (user, first) in enumerate(firsts(cases.users[chunk]))
            ]
            scored = self._scorer.score(ids, [_history(each) for each in cases.histories[chunk]])
            for row, lists in enumerate(scored.lists, start):
                shown = [self._number[item.item_id] for item in lists[self._home]]
                scores[row, shown] = -np.arange(len(shown))
        return scores

    def observe(self, events: Interactions) -> None:
        """Live counts go on."""
        self._blend.observe(events)
        self._popularity.count(told_of(events))
        self._popularity.refresh()


def _history(events: Interactions) -> History:
    columns = (events.items.tolist(), events.kinds.tolist(), events.ts_ms.tolist(), events.ratings.tolist())
    interactions = [
        Interaction(events.item_ids[item], _kind(kind, stars), ts_ms, 1.0 if isnan(stars) else stars)
        for item, kind, ts_ms, stars in zip(*columns, strict=True)
    ]
    return history_of(UserState.of(0, StateCause("", "", 0, 0), interactions))


def _kind(kind: int, stars: float) -> Kind:
    """A rating without stars is a view, as `riverrun replay` sends it."""
    return Kind.VIEW if kind == Kind.RATE and isnan(stars) else Kind(kind)
