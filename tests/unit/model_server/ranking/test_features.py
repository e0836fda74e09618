"""What a pair (user, item) is described by, counted by hand."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from app.data.local_time import MS_PER_DAY
from model_server.ranking.candidates import CandidateOptions
from model_server.ranking.examples import Examples
from model_server.ranking.facts import ItemFacts
from model_server.ranking.features import FEATURES
from model_server.ranking.habits import item_habits
from model_server.ranking.lines import Moments, lines_of
from model_server.ranking.own import own_items
from model_server.ranking.past import Past
from model_server.ranking.promotion import nothing_promoted
from model_server.ranking.ranker import Described, RankingOptions, describe
from model_server.ranking.tables import fit_tables
from tests.support.model import interactions_of

USERS, ITEMS, NOW_DAY = 12, 8, 40
OPTIONS = RankingOptions(CandidateOptions(own=10, each=8))
# Items 0-3 are one type, 4-7 another; even ones of one brand, odd ones of another.
FACTS = ItemFacts(
    types=np.repeat(np.arange(2), 4).astype(np.int32),
    categories=np.zeros(ITEMS, np.int32),
    departments=np.repeat(np.arange(2), 4).astype(np.int32),
    brands=np.tile(np.arange(2), 4).astype(np.int32),
    prices=np.ones(ITEMS, np.float32),
)
# (user, item, day): user 0 has 0 three times, 1 once, and 4 together with 0 the last time; everybody else has 5.
EVENTS = [(0, 0, 1), (0, 0, 11), (0, 1, 15), (0, 0, 21), (0, 4, 21)] + [(user, 5, 39) for user in range(1, USERS)]


@cache
def described() -> Described:
    """User 0 on day 40, with item 4 in the cart."""
    rows = sorted(((user, item, day * MS_PER_DAY) for user, item, day in EVENTS), key=lambda row: row[2])
    log = interactions_of(rows, USERS, ITEMS)
    now_ms, zero = np.array([NOW_DAY * MS_PER_DAY]), np.zeros(1, np.int64)
    moments = Moments(now_ms, zero, np.full(1, -1, np.int32), zero, zero + 4)
    lines = lines_of([log.take(log.users == 0)])
    past = Past(lines, own_items(lines, moments, OPTIONS.window))
    return describe(moments, past, fit_tables(log, FACTS, "UTC", int(now_ms[0])), nothing_promoted, OPTIONS)


def value(feature: str, item: int) -> float:
    row = described().pairs.items.tolist().index(item)
    return float(described().features[row, list(FEATURES).index(feature)])


def test_own_items_have_a_place_within_their_type() -> None:
    assert [value("own_of_type", item) for item in (0, 1)] == [0, 1]
    assert value("own_of_type", 5) > 1  # never had


def test_brand_within_a_type_is_told_from_the_brand() -> None:
    assert value("kind_decayed", 0) == pytest.approx(0.99**39 + 0.99**29 + 0.99**19)
    assert value("brand_decayed", 0) == pytest.approx(value("kind_decayed", 0) + 0.99**19)
    assert value("kind_since", 1) == 25


def test_the_cart_speaks_for_what_was_last_had_with_it() -> None:
    assert [value("cart_last", item) for item in (0, 1, 5)] == [1, 0, 0]
    assert [value("cart_department", item) for item in (0, 5)] == [0, 1]


def test_what_is_had_often_is_expected_more_than_what_was_had_once() -> None:
    assert value("own_expected", 0) > value("own_expected", 1)
    assert value("own_lately", 0) > value("own_lately", 1)
    assert np.isnan(value("own_expected", 5))


def test_a_user_who_had_nothing_new_for_a_month() -> None:
    assert value("user_new", 0) == pytest.approx(2 / 3)  # 0, 1 and 4 lately, of which 0 is older
    assert value("user_here", 0) == 0  # nobody knows where


def test_the_rate_of_an_item_counts_comings_back_by_the_days_it_was_had() -> None:
    days: NDArray[np.int64] = np.arange(0, 331, 30)
    rows = [(user, 0, int(day) * MS_PER_DAY) for day in days for user in range(200)]
    rows += [(0, 1, 330 * MS_PER_DAY)]
    rate = item_habits(interactions_of(rows, 200, ITEMS), FACTS, "UTC").rate
    assert rate[0] == pytest.approx(1, abs=0.05)  # once in 30 days
    assert rate[4] == pytest.approx(0.2)  # of a type nobody had


def test_what_was_taken_is_kept_and_a_share_of_the_rest() -> None:
    taken = np.zeros(4_000, np.bool_)
    taken[[0, 2_500]] = True
    examples = Examples(np.zeros((4_000, 1), np.float32), taken, np.array([2_000, 1_000, 1_000]), np.arange(3))
    taught = examples.taught()
    assert (taught.sizes.tolist(), taught.now_ms.tolist()) == ([2_000, 1_000], [0, 1])
    thinned = taught.thinned(0.2, np.random.default_rng(0))
    assert thinned.taken.sum() == 2
    assert thinned.sizes == pytest.approx(np.array([400, 200]), rel=0.15)
