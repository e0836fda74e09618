"""Federated averaging with the real Flower, where the group is installed (uv sync --group privacy)."""

import numpy as np
import pytest
import torch

from model_server.federation.contest import ALONE, CENTRAL, FEDERATED, Contest, same_for_all
from model_server.federation.local import LocalTraining, Share
from model_server.federation.shops import deal_out
from model_server.judging.metrics import ranking_metrics
from model_server.training.validation import split_validation
from tests.support.model import assert_close, planted_dataset, tiny_config, tiny_network, tiny_options

pytest.importorskip("flwr", exc_type=ImportError, reason="uv sync --group privacy brings flwr")

from model_server.federation.flower import Rounds, federate

WALKS = planted_dataset(users=60, items=20)
TEXTS = torch.zeros(20, 0)


def test_two_shops_of_one_network_learn_what_neither_is_told_by_the_other() -> None:
    options = tiny_options(batch_sequences=8)
    contest = Contest(
        WALKS, deal_out(WALKS.interactions, 2, seed=0), TEXTS, same_for_all(options, 4, 3), lambda _: None
    )
    outcome = contest.run()
    assert set(outcome.ranks) == {CENTRAL, FEDERATED, ALONE}
    assert len(outcome.shop_of) == 60
    assert len(outcome.validation_ndcg10) == 4
    found = {name: ranking_metrics(ranks).ndcg10 for name, ranks in outcome.ranks.items()}
    assert found[FEDERATED] > 0.5
    assert found[FEDERATED] > found[ALONE] - 0.1


def test_a_round_is_the_mean_of_what_the_shops_learned_by_their_transitions() -> None:
    config = tiny_config(items=20, text_dimension=0, dropout=0.0, id_dropout=0.0, kind_dropout=0.0)
    start, log = tiny_network(config=config).state_dict(), WALKS.interactions
    parts = [log.take(log.users < 20), log.take(log.users >= 20)]
    splits = [split_validation(part, 60, np.random.default_rng(0)) for part in parts]

    def shops() -> list[LocalTraining]:
        return [LocalTraining(config, TEXTS, split, tiny_options(), seed) for seed, split in enumerate(splits)]

    found = federate(shops(), start, Rounds(1, 1), lambda: None)
    one, other = (shop.train(start, Share(0.0, 1.0, 1), lambda: None) for shop in shops())
    everything = one.transitions + other.transitions
    assert other.transitions == 2 * one.transitions
    for name, weight in found.weights.items():
        mean = (one.weights[name] * one.transitions + other.weights[name] * other.transitions) / everything
        assert_close(weight.float(), mean, atol=1e-5)
