"""Baselines that count as they go, against counts made by hand."""

import numpy as np
import pytest

from model_server.evaluation.baselines.covisitation import CoVisitation
from model_server.evaluation.baselines.popularity import DecayedPopularity, Popularity
from tests.support.model import DAY_MS, cases_of, interactions_of

LOG = interactions_of([(0, 1, 0), (0, 2, DAY_MS), (1, 1, 2 * DAY_MS), (0, 3, 3 * DAY_MS)], users=2, items=5)
NOBODY = LOG.take(slice(0, 0))


def test_popularity_counts() -> None:
    popularity = Popularity(5)
    popularity.observe(LOG)
    assert popularity.scores(cases_of([NOBODY, LOG])).tolist() == [[0, 2, 1, 1, 0]] * 2


def test_decayed_popularity_halves() -> None:
    popularity = DecayedPopularity(5, half_life_days=1)
    popularity.observe(LOG)
    assert popularity.scores(cases_of([NOBODY]))[0].tolist() == pytest.approx([0, 1 / 8 + 1 / 2, 1 / 4, 1, 0])


def test_observing_in_pieces_is_observing_at_once() -> None:
    for make in (lambda: Popularity(5), lambda: DecayedPopularity(5, 1), lambda: CoVisitation(5)):
        whole, pieces = make(), make()
        whole.observe(LOG)
        for position in range(len(LOG)):
            pieces.observe(LOG.take(slice(position, position + 1)))
        assert np.allclose(whole.scores(cases_of([LOG])), pieces.scores(cases_of([LOG])))


def test_covisitation_weighs_distance_direction_recency_and_popularity() -> None:
    counts = CoVisitation(5)
    counts.observe(LOG)
    # User 0 did 1, 2, 3: 1->2 and 2->3 count 1, 1->3 counts 1/2; backward half of that. Item 1 occurred twice.
    only_two = counts.scores(cases_of([LOG.take(slice(1, 2))]))[0]
    assert only_two.tolist() == pytest.approx([0, 0.5 / 2**0.25, 0, 1, 0])
    one_then_two = counts.scores(cases_of([LOG.take(slice(0, 2))]))[0]
    assert one_then_two[3] == pytest.approx(1 + 0.8 * 0.5 / 2)


def test_covisitation_knows_nothing_of_a_user_without_history() -> None:
    counts = CoVisitation(5)
    counts.observe(LOG)
    assert not counts.scores(cases_of([NOBODY])).any()
