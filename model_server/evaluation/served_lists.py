"""The lists that a shopper gets, behind the interface through which models and baselines are compared.

The scorer of the model server makes them: sources in their order, reserved places for new items among them, of what it
is told of users. So a model is judged by what a page shows, and not by scores behind it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.interests.draft import Bounds
from app.surfaces.surface import Surface, Surfaces, load_surfaces
from app.surfaces.touches import history_of
from model_server.evaluation.first_week import FirstWeek
from model_server.evaluation.live_version import LiveVersion, Surroundings, told_of
from model_server.evaluation.recommender import firsts
from model_server.evaluation.user_states import state_of
from model_server.judging.cases import Cases, Recommender
from model_server.popularity.live import LivePopularity
from model_server.registry.version import TrainedModel
from model_server.scoring.scorer import Scorer

_CHUNK: Final = 128
_REFRESH_S: Final = 60.0
_BOUNDS: Final = Bounds()
_OF_NEW_ITEMS: Final = "new"


def first_list(model: TrainedModel, surroundings: Surroundings, part: Interactions) -> Recommender:
    """The first surface as riverrun ships it, made of this version.

    Args:
        model: the version's.
        surroundings: see there.
        part: what happened until now.
    """
    return ServedList(model, surroundings, part, load_surfaces().surfaces[0].name)


def list_of_new_items(model: TrainedModel, surroundings: Surroundings, part: Interactions) -> Recommender:
    """The surface of nothing but new items."""
    return ServedList(model, surroundings, part, _OF_NEW_ITEMS)


class ServedList:
    """See the module.

    Args:
        model: the version's.
        surroundings: the catalogue, how its texts are read, and what of it is for sale when.
        part: what happened until now.
        surface: the name of the list, in the surfaces as riverrun ships them.
    """

    online = True

    def __init__(self, model: TrainedModel, surroundings: Surroundings, part: Interactions, surface: str) -> None:
        self._version = LiveVersion(model, model.hybrid, surroundings)
        self._now_s = 0.0  # of the ranking, which is made anew for every question
        self._popularity = LivePopularity(
            model.popularity, surroundings.half_life_days, self._version.index, lambda: self._now_s
        )
        self._surface, surfaces = _only(surface, load_surfaces())
        self._scorer = Scorer(
            self._version.model, self._version.index, surfaces, lambda: self._popularity.ranking, self._version.device
        )
        self._number = {item.item_id: number for number, item in enumerate(surroundings.catalog)}
        self._week: FirstWeek | None = surroundings.first_week
        self._shelf = np.zeros(0, np.int32)
        always = self._number.values() if self._week is None else [self._number[item_id] for item_id in model.item_ids]
        self._version.put(np.array(list(always), np.int64))
        self.observe(part)

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N): minus the place for what is in the list, minus infinity for everything else.

        For sale is what is so at the first of these moments.
        """
        self._restock(cases)
        self._now_s += _REFRESH_S
        self._popularity.refresh()
        scores = np.full((len(cases), len(self._number)), -np.inf)
        for start in range(0, len(cases), _CHUNK):
            chunk = slice(start, min(start + _CHUNK, len(cases)))
            ids = [
                f"{user}" if first else f"{user} {row}" for row, (user, first) in enumerate(firsts(cases.users[chunk]))
            ]
            states = [state_of(each, _BOUNDS) for each in cases.histories[chunk]]
            scored = self._scorer.score(ids, [history_of(state) for state in states])
            for row, lists in enumerate(scored.lists, start):
                shown = [self._number[item.item_id] for item in lists[self._surface.name]]
                scores[row, shown] = -np.arange(len(shown))
        return scores

    def observe(self, events: Interactions) -> None:
        """Live counts go on; what the version has counted itself is not counted again."""
        told = told_of(events)
        self._version.count(told)
        self._popularity.count(told)

    def _restock(self, cases: Cases) -> None:
        """List what was first sold since the last question, and take out what is no longer new."""
        if self._week is None:
            return
        shelf = self._week.at(int(cases.now_ms[0]))
        self._version.withdraw(np.setdiff1d(self._shelf, shelf))
        self._version.put(np.setdiff1d(shelf, self._shelf))
        self._shelf = shelf


def _only(name: str, surfaces: Surfaces) -> tuple[Surface, Surfaces]:
    (surface,) = (each for each in surfaces.surfaces if each.name == name)
    return surface, Surfaces((surface,), surfaces.rating_scale)
