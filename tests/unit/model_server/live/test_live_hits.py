"""The live hit rate counts an event against the list before it, once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.contracts.recommendations import RecommendedItem
from app.interests.state import Interaction, Kind
from app.observability import Metrics
from app.surfaces.touches import History, history_of
from model_server import metrics as table
from model_server.hybrid.parts import BlendGain
from model_server.live_hits import LiveHits, promise
from model_server.registry.version import ModelVersion
from model_server.scoring.scorer import Scored
from model_server.swap.tally import Counts, Tally
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
    def __init__(self, max_users: int = 10) -> None:
        self.metrics = Metrics(table.TABLE)
        self.tally = Tally(60.0, lambda: 0.0)
        hits = LiveHits(self.metrics, "v1", "home", tally=self.tally, soon_ms=2, max_users=max_users)
        self._score = self.tally.watch(hits.watch(shows_what_comes_next), "home")

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
    shop = Shop(max_users=2)
    for user_id in ("ann", "ben", "cas"):
        shop.sees(user_id, "10")
    assert shop.sees("ann", "10", "11") == (0, 0)
    assert shop.sees("cas", "10", "11") == (1, 1)


def test_only_events_soon_after_the_list_are_held_against_the_version_before() -> None:
    shop = Shop()
    shop.sees("ann", "10")
    shop.sees("ann", "10", "11", "12")  # two milliseconds later
    assert shop.sees("ann", "10", "11", "12", "1", "2", "13") == (2, 2)  # three
    assert shop.tally.recent() == Counts(lists=3, events=1, hits=1)


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
