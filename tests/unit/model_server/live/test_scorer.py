"""Lists of a small model whose right answers are known."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from app.contracts.recommendations import RecommendedItem
from app.interests.popularity import PopularItem
from app.interests.state import Interaction, Kind, UserState
from app.surfaces.surface import Hide, Source, SourceSpec, Surface, Surfaces, load_surfaces
from app.surfaces.touches import history_of
from model_server.counts.covisitation import CoVisitation
from model_server.counts.live import LiveCoVisitation
from model_server.hybrid.blend import BlendWeights
from model_server.hybrid.parts import HybridParts, network_alone
from model_server.hybrid.served import ServedModel
from model_server.hybrid.sources import hybrid_of
from model_server.items.index import ItemIndex
from model_server.items.rows import ItemRows
from model_server.items.view import Listing
from model_server.model.continued import ContinuedEncoder
from model_server.model.memory import EncodingMemory
from model_server.model.serving import UserEncoder
from model_server.registry.version import trained_items
from model_server.scoring.scorer import Lists, Scorer
from tests.support.planted import WordEncoder, planted_model
from tests.support.states import rated, state_of

ENCODER = WordEncoder()
TEXTS = {
    f"{topic}-{number}": f"{topic} {topic} number{number}" for topic in ("fish", "bird", "rock") for number in range(8)
}
RANKING = [PopularItem(f"rock-{number}", 8.0 - number) for number in range(8)]
HOME = Surface("home", 5, frozenset({Hide.SEEN}), (SourceSpec(Source.FOR_YOU), SourceSpec(Source.POPULARITY)))


class Shop:
    """An index and a scorer over it; everything trained is listed."""

    def __init__(self, *surfaces: Surface, parts: HybridParts | None = None) -> None:
        model = planted_model(TEXTS, ENCODER)
        cpu = torch.device("cpu")
        rows = ItemRows(model.item_ids)
        self.index = ItemIndex(model.network, trained_items(model), cpu, rows=rows)
        self.offer(**TEXTS)
        chosen = Surfaces(surfaces, 5.0) if surfaces else load_surfaces()
        memory = EncodingMemory(100, model.network.config.hidden, cpu)
        encoder = ContinuedEncoder(UserEncoder(model.network, half=False), memory, cpu)
        parts = parts or model.hybrid
        hybrid = hybrid_of(parts, LiveCoVisitation(parts.covisitation, parts.options, rows))
        self._scorer = Scorer(ServedModel(model.network, encoder, hybrid), self.index, chosen, lambda: RANKING, cpu)

    def offer(self, **texts: str) -> None:
        listings = [Listing(item_id, item_id.upper()) for item_id in texts]
        self.index.put(listings, ENCODER.encode(list(texts.values())))

    def score(self, *states: UserState) -> list[Lists]:
        return self._scorer.score(
            [f"user-{number}" for number in range(len(states))], [history_of(state) for state in states]
        ).lists

    def home(self, state: UserState) -> tuple[RecommendedItem, ...]:
        return self.score(state)[0]["home"]


def ids(items: tuple[RecommendedItem, ...]) -> list[str]:
    return [item.item_id for item in items]


def test_a_user_gets_the_neighbours_of_what_was_touched_and_is_told_so() -> None:
    home = Shop(HOME).home(state_of((Kind.VIEW, "bird-1"), (Kind.LIKE, "fish-3")))
    assert all(item.item_id.startswith("fish-") for item in home)
    assert {item.source for item in home} == {"model"}
    assert {item.reason for item in home} == {"Because you liked FISH-3"}
    assert [item.score for item in home] == sorted((item.score for item in home), reverse=True)


def test_what_others_did_next_is_blended_in_and_says_so() -> None:
    parts = network_alone(len(TEXTS))
    counts = CoVisitation(parts.options)
    rows = {item_id: row for row, item_id in enumerate(TEXTS)}
    for user in range(5):  # whoever saw the fourth fish went on to a rock
        pair = np.array([rows["fish-3"], rows["rock-5"]])
        counts.observe(np.full(2, user), pair, np.array([10, 20]))
    weights = BlendWeights(covisitation=2.0, popularity=0.001)
    shop = Shop(HOME, parts=replace(parts, covisitation=counts.snapshot(len(TEXTS)), weights=weights))
    first, second, *_ = shop.home(state_of((Kind.LIKE, "fish-3")))
    assert (first.item_id, first.source) == ("rock-5", "covisitation")
    assert 2.0 <= first.score <= 3.0
    assert (second.item_id[:4], second.source) == ("fish", "model")
    assert first.reason == "Because you liked FISH-3"


def test_where_nothing_else_speaks_for_an_item_it_is_popular() -> None:
    parts = replace(network_alone(len(TEXTS)), weights=BlendWeights(popularity=2.0))
    home = Shop(HOME, parts=parts).home(state_of((Kind.LIKE, "fish-3")))
    assert (home[0].item_id, home[0].source, home[0].reason) == ("rock-0", "popularity", "Popular right now")


def test_a_reason_names_the_title_that_the_anchor_has_now() -> None:
    shop = Shop(HOME)
    state = state_of(rated("fish-0", 5.0))
    assert shop.home(state)[0].reason == "Because you liked FISH-0"
    shop.index.retitle([Listing("fish-0", "Herring")])
    assert shop.home(state)[0].reason == "Because you liked Herring"


def test_what_was_seen_never_comes_back() -> None:
    seen = [(Kind.VIEW, f"fish-{number}") for number in range(8)]
    home = Shop(HOME).home(state_of(*seen))
    assert len(home) == 5
    assert not {item_id for _, item_id in seen} & set(ids(home))


def test_a_disliked_item_is_neither_shown_nor_a_reason() -> None:
    shop = Shop(Surface("all", 24, frozenset(), (SourceSpec(Source.FOR_YOU),)))
    state = state_of((Kind.VIEW, "bird-1"), rated("fish-1", 1.0), Interaction("fish-2", Kind.DISLIKE, 20_000))
    shown = shop.score(state)[0]["all"]
    assert len(shown) == 22
    assert not {"fish-1", "fish-2"} & set(ids(shown))
    assert not any("FISH" in item.reason for item in shown)


def test_delisted_items_vanish_from_every_source() -> None:
    shop = Shop(HOME)
    shop.index.withdraw(["fish-1", "rock-0"])
    assert "fish-1" not in ids(shop.home(state_of((Kind.VIEW, "fish-0"))))
    assert ids(shop.home(state_of()))[0] == "rock-1"


def test_a_new_item_is_recommended_from_its_text_at_once() -> None:
    shop = Shop()
    state = state_of((Kind.PURCHASE, "bird-2"))
    assert shop.score(state)[0]["new"] == ()
    shop.offer(fresh="bird bird brandnew", other="rock stone")
    lists = shop.score(state)[0]
    assert "fresh" in ids(lists["home"])
    assert ids(lists["new"]) == ["fresh", "other"]
    assert lists["new"][0].source == "new"
    assert lists["new"][0].reason == "New: similar to BIRD-2"


def test_new_items_are_told_apart_by_what_a_user_comes_back_for() -> None:
    shop = Shop()
    shop.offer(**{"new-bird": "bird bird brandnew", "new-rock": "rock rock brandnew"})
    last = [Interaction(f"bird-{number}", Kind.VIEW, 40_000_000 + number) for number in range(3)]
    once = Interaction("rock-1", Kind.PURCHASE, 1_000)
    again = [Interaction("rock-1", Kind.PURCHASE, 2_000_000 * visit) for visit in range(1, 20)]
    passing, faithful = shop.score(state_of(once, *last), state_of(once, *again, *last))
    assert ids(passing["new"]) == ["new-bird", "new-rock"]
    assert ids(faithful["new"]) == ["new-rock", "new-bird"]
    assert faithful["new"][0].reason == "New: similar to ROCK-1"


def test_a_new_item_in_the_history_counts() -> None:
    shop = Shop(HOME)
    shop.offer(fresh="fish fish brandnew")
    home = shop.home(state_of((Kind.CLICK, "fresh")))
    assert all(item.item_id.startswith("fish-") for item in home)
    assert {item.reason for item in home} == {"Because you looked at FRESH"}


@pytest.mark.parametrize(
    "state", [state_of(), state_of((Kind.VIEW, "never heard of")), state_of((Kind.DISLIKE, "fish-1"))]
)
def test_who_is_not_known_gets_what_is_popular(state: UserState) -> None:
    home = Shop(HOME).home(state)
    assert ids(home) == [f"rock-{number}" for number in range(5)]
    assert {item.source for item in home} == {"popularity"}
    assert {item.reason for item in home} == {"Popular right now"}


def test_a_list_is_filled_from_popularity_then_from_the_catalog() -> None:
    shop = Shop()
    shop.index.withdraw([item_id for item_id in TEXTS if not item_id.startswith("rock")])
    shop.offer(fresh="stone")
    sources = [item.source for item in shop.home(state_of())]
    assert sources == ["popularity"] * 8 + ["catalog"]


def test_an_empty_shop_gives_empty_lists() -> None:
    shop = Shop()
    shop.index.withdraw(list(TEXTS))
    assert shop.score(state_of((Kind.VIEW, "fish-1")), state_of()) == [{"home": (), "popular": (), "new": ()}] * 2


def test_a_batch_gives_what_each_user_would_get_alone() -> None:
    shop = Shop()
    shop.offer(
        **{f"fresh-{number}": f"{topic} brandnew{number}" for number, topic in enumerate(("fish", "bird", "rock"))}
    )
    rng = random.Random(3)
    states = [
        state_of(*[(rng.choice(list(Kind)), rng.choice(list(TEXTS))) for _ in range(rng.randrange(70))])
        for _ in range(120)
    ]
    together = shop.score(*states)
    for state, lists in zip(states, together, strict=True):
        alone = shop.score(state)[0]
        for name, items in lists.items():
            assert ids(items) == ids(alone[name])
            assert [item.reason for item in items] == [item.reason for item in alone[name]]
            assert [item.score for item in items] == pytest.approx([item.score for item in alone[name]], abs=2e-3)
