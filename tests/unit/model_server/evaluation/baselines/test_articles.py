"""The articles' models find what was planted, and nothing about padding or blocks changes a score."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from app.data.interactions import Interactions
from model_server.evaluation.baselines.attention import AttentionScorer, attention
from model_server.evaluation.baselines.bilstm import TextTower, Words, bilstm
from model_server.evaluation.baselines.context import RatingPredictor
from model_server.evaluation.baselines.descent import choice_with, chunks, padded
from model_server.evaluation.baselines.features import item_features
from model_server.evaluation.baselines.matrix_factorization import matrix_factorization
from model_server.evaluation.baselines.mlp import mlp
from model_server.evaluation.baselines.pairs import history_ends
from model_server.judging.cases import Fit
from tests.support.model import HashEncoder, baseline_context, cases_of, dataset_of, interactions_of, planted_dataset

WALKS = planted_dataset(users=80, items=24)


def hits_of(fit: Fit) -> float:
    """The share of walks whose next step is among the first three items."""
    log = WALKS.interactions
    histories = [log.take(log.users == user) for user in range(40)]
    scores = fit(log).scores(cases_of(histories))
    for row, history in enumerate(histories):
        scores[row, history.items] = -np.inf
    wanted = np.array([(history.items[-1] + 1) % 24 for history in histories])
    return float((np.argsort(-scores, axis=1)[:, :3] == wanted[:, None]).any(axis=1).mean())


def test_attention_finds_the_next_step() -> None:
    assert hits_of(attention(baseline_context(WALKS), epochs=40)) > 0.6


def test_mlp_finds_the_next_step() -> None:
    assert hits_of(mlp(baseline_context(WALKS), epochs=40)) > 0.6


def test_bilstm_finds_the_next_title() -> None:
    assert hits_of(bilstm(baseline_context(WALKS), pairs=6_000)) > 0.6


def likes_and_loathes() -> Interactions:
    """Even users rate even items with 5 and odd ones with 1; odd users have odd items only, which get 4."""
    rng = np.random.default_rng(1)
    rows = [(user, int(item)) for user in range(0, 40, 2) for item in rng.permutation(20)[:12]]
    rows += [(user, int(item)) for user in range(1, 40, 2) for item in 1 + 2 * rng.permutation(10)[:7]]
    log = interactions_of([(user, item, step) for step, (user, item) in enumerate(rows)], users=41, items=20)
    even_user, even_item = log.users % 2 == 0, log.items % 2 == 0
    log.ratings[:] = np.where(even_user, np.where(even_item, 5.0, 1.0), 4.0)
    return log


def test_factors_predict_stars_and_rank() -> None:
    log = likes_and_loathes()
    fitted = matrix_factorization(baseline_context(dataset_of(log)), epochs=400)(log)
    assert isinstance(fitted, RatingPredictor)
    cases = cases_of([log.take(log.users == user) for user in range(41)])
    stars = fitted.ratings(cases, np.full(41, 3, np.int32))
    assert stars[:40:2].mean() == pytest.approx(1.0, abs=0.5)
    assert stars[1:40:2].mean() == pytest.approx(4.0, abs=0.5)
    scores = fitted.scores(cases)
    assert scores[1:40:2, 1::2].mean() > scores[1:40:2, ::2].mean()
    assert np.isfinite(scores[40]).all(), "a user without a past"


def test_nothing_but_stars_is_needed_to_rank() -> None:
    log = WALKS.interactions
    fitted = matrix_factorization(baseline_context(WALKS), epochs=1)(log)
    assert fitted.scores(cases_of([log])).shape == (1, 24)


def test_padding_changes_no_attention() -> None:
    torch.manual_seed(3)
    scorer = AttentionScorer(9).eval()
    catalog = torch.arange(1, 10)
    history = np.array([3, 1, 7], np.int32)
    short, long = (scorer(padded([history], length), catalog)[0, -1] for length in (3, 8))
    assert torch.allclose(short, long, atol=1e-5)


def test_attention_after_each_item_is_that_of_the_prefix() -> None:
    torch.manual_seed(3)
    scorer = AttentionScorer(9).eval()
    catalog = torch.arange(1, 10)
    history = np.array([3, 1, 7, 2], np.int32)
    whole = scorer(padded([history], 4), catalog)[0]
    for step in range(4):
        assert torch.allclose(whole[step], scorer(padded([history[: step + 1]], 4), catalog)[0, -1], atol=1e-5)


def test_texts_in_one_batch_do_not_touch_each_other() -> None:
    torch.manual_seed(3)
    words = Words(["red tea", "green tea pot"])
    tower = TextTower(len(words)).eval()
    together = tower([words.of("red tea"), words.of("green tea pot"), words.of("unheard of")])
    assert torch.allclose(together[0], tower([words.of("red tea")])[0], atol=1e-5)


def test_chunks_overlap_by_one_and_lose_nothing() -> None:
    log = interactions_of([(0, step, step) for step in range(23)] + [(1, 5, 30)], users=2, items=23)
    rows = [row[row > 0].tolist() for row in chunks(log, 5, np.random.default_rng(1))]
    steps = sorted(pair for row in rows for pair in pairwise(row))
    assert steps == [(item, item + 1) for item in range(1, 23)]


@pytest.mark.parametrize("sampled", [3, 100])
def test_what_is_wanted_is_among_the_choice(sampled: int) -> None:
    wanted = torch.tensor([[4, 9], [4, 2]])
    choice = choice_with(wanted, catalog=12, sampled=sampled, rng=np.random.default_rng(1))
    assert torch.equal(choice.items[choice.places], wanted)
    assert len(choice.items) == len(set(choice.items.tolist()))


def test_moments_are_prefixes_and_what_came_next() -> None:
    log = interactions_of([(0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 5, 4)], users=2, items=6)
    ends = history_ends(log, 5, np.random.default_rng(1))
    assert len(ends) == 5
    assert {(tuple(end.before.tolist()), end.item) for end in ends} == {((1,), 2), ((1, 2), 3)}
    assert history_ends(log.take(log.users == 1), 5, np.random.default_rng(1)) == []


def test_items_without_brand_or_price_have_features_too() -> None:
    features = item_features(WALKS.catalog, HashEncoder())
    assert features.shape == (24, HashEncoder.dimension + 1)
    assert not features[:, -1].any()
