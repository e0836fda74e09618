"""The live hit rate counts an event against the list before it, once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.contracts.recommendations import NEWCOMER_ID, RecommendedItem
from app.interests.state import Interaction, Kind
from app.observability import Metrics
from app.surfaces.touches import History, history_of
from model_server import metrics as table
from model_server.hybrid.parts import BlendGain
from model_server.registry.version import ModelVersion
from model_server.scoring.scorer import Lists, Scored
from model_server.swap.shown import ShownLists
from model_server.swap.tally import Counts, Tally
from model_server.swap.watched import Watched, promise
from tests.support.planted import WordEncoder, planted_model
from tests.support.states import state_of


def history(*item_ids: str) -> History:
    return history_of(state_of(*(Interaction(item_id, Kind.VIEW, at) for at, item_id in enumerate(item_ids, 1))))


def shows_what_comes_next(user_ids: Sequence[str], histories: Sequence[History]) -> Scored:
    """Whose newest item is n gets n + 1 to n + 12."""
    newest = [int(each.item_ids[-1]) if each.item_ids else 0 for each in histories]
    lists = [[RecommendedItem(str(item + step), 1.0, "model", "") for step in range(1, 13)] for item in newest]
    return Scored([{"home": tuple(places)} for places in lists])


class Shop:
    def __init__(self) -> None:
        self.metrics = Metrics(table.TABLE)
        self.tally = Tally(60.0, lambda: 0.0)
        self._score = Watched(
            shows_what_comes_next, "home", tally=self.tally, soon_ms=2, version="v1", metrics=self.metrics
        )

    def sees(self, user_id: str, *item_ids: str) -> tuple[float, float]:
        """Events and hits after these are what the user did."""
        self._score([user_id], [history(*item_ids)])
        return tuple(  # type: ignore[return-value]  # two of them
            self.metrics.registry.get_sample_value(f"{spec.name}", {"version": "v1"}) or 0.0
            for spec in (table.LIVE_EVENTS, table.LIVE_HITS)
        )


def test_the_next_event_is_looked_up_in_the_list_before_it() -> None:
    shop = Shop()
    assert shop.sees("ann", "10") == (0, 0)  # there was no list before it
    assert shop.sees("ann", "10", "15") == (1, 1)
    assert shop.sees("ann", "10", "15", "26") == (2, 1)  # the eleventh place is no hit
    assert shop.sees("ben", "27") == (2, 1)


def test_the_same_state_scored_again_is_no_event() -> None:
    shop = Shop()
    shop.sees("ann", "10")
    assert shop.sees("ann", "10") == (0, 0)
    assert shop.sees("ann", "10", "10") == (1, 0)  # the same item again is
    assert shop.sees("nobody") == (1, 0)


def test_users_of_long_ago_are_forgotten() -> None:
    lists = ShownLists(max_users=2)
    for user_id in ("ann", "ben", "cas"):
        lists.show(user_id, history("10"), ["11"])
    assert lists.show("ann", history("10", "11"), []) is None
    assert lists.show("cas", history("10", "11"), []) == (True, 1)


def test_turning_down_what_was_shown_is_no_hit() -> None:
    lists = ShownLists()
    lists.show("ann", history("10"), ["11"])
    for kind in (Kind.DISLIKE, Kind.REMOVE_FROM_CART):
        disliked = history_of(state_of(Interaction("10", Kind.VIEW, 1), Interaction("11", kind, 2)))
        assert lists.show("ann", disliked, ["11"]) is None


def test_only_events_soon_after_the_list_are_held_against_the_version_before() -> None:
    shop = Shop()
    shop.sees("ann", "10")
    shop.sees("ann", "10", "11", "12")  # two milliseconds later
    assert shop.sees("ann", "10", "11", "12", "1", "2", "13") == (2, 2)  # three
    assert shop.tally.recent() == Counts(lists=3, events=1, hits=1)


def test_lists_fallbacks_and_empty_ones_are_counted_without_newcomers() -> None:
    tally = Tally(10.0, lambda: 0.0)
    full: Lists = {"home": (RecommendedItem("x", 1.0, "model", ""),)}

    def score(_user_ids: object, _histories: object) -> Scored:
        return Scored([full, {"home": ()}, full], fallback_users=2)

    watched = Watched(score, "home", tally=tally, soon_ms=2, version="v1", metrics=Metrics(table.TABLE))
    watched(["ann", "ben", NEWCOMER_ID], [history_of(state_of())] * 3)
    assert tally.recent() == Counts(lists=2, fallbacks=1, empty=1)


def test_what_validation_promised_is_shown() -> None:
    metrics = Metrics(table.TABLE)
    model = planted_model({"a": "one", "b": "two"}, WordEncoder())
    for name, validated in (("v1", {"validation_hr10": 0.25}), ("v2", {})):
        promise(metrics, ModelVersion(name, Path(name), replace(model, metrics=validated)))
    blended = replace(model.hybrid, gain=BlendGain(users=9, network_hr10=0.25, blended_hr10=0.3))
    promise(metrics, ModelVersion("v3", Path("v3"), replace(model, hybrid=blended)))
    assert metrics.registry.get_sample_value(table.VALIDATION_HR10.name, {"version": "v1"}) == 0.25
    assert metrics.registry.get_sample_value(table.VALIDATION_HR10.name, {"version": "v2"}) is None
    assert metrics.registry.get_sample_value(table.VALIDATION_HR10.name, {"version": "v3"}) == 0.3
