"""What happens inside a shop."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from app.errors import SettingsError
from model_server.federation.contest import Contest, same_for_all
from model_server.federation.local import LocalTraining, Share
from model_server.federation.shops import deal_out
from model_server.model.network import SequenceNetwork
from model_server.training.options import SPARSE
from model_server.training.validation import split_validation
from tests.support.model import planted_dataset, tiny_config, tiny_options

WALKS = planted_dataset(users=40)
CONFIG = tiny_config(items=60, text_dimension=0)
TEXTS = torch.zeros(60, 0)


def test_a_shop_learns_from_the_weights_that_it_was_sent_and_leaves_them_as_they_were() -> None:
    split = split_validation(WALKS.interactions, 40, np.random.default_rng(0))
    shop = LocalTraining(CONFIG, TEXTS, split, tiny_options(), seed=1)
    sent = SequenceNetwork(CONFIG).state_dict()
    before = {name: weight.clone() for name, weight in sent.items()}
    passes: list[None] = []
    learned = shop.train(sent, Share(0.0, 0.5, passes=8), lambda: passes.append(None))
    assert len(passes) == 8
    assert learned.transitions == len(split.training) - 40
    assert all(torch.equal(sent[name], weight) for name, weight in before.items())
    assert shop.validate(learned.weights).ndcg10 > shop.validate(sent).ndcg10 + 0.1
    assert shop.validate(learned.weights).cases == 40


def test_nobody_starts_from_what_shops_cannot_know_together() -> None:
    terms = same_for_all(replace(SPARSE, members=3), rounds=4, passes=3)
    assert not terms.options.cooccurrence_start
    assert terms.options.neighbour_share == 0
    assert (terms.options.members, terms.options.epochs) == (1, 12)


def test_without_the_group_the_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("flwr", "flwr.app"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "model_server.federation.flower", raising=False)
    shops = deal_out(WALKS.interactions, 2, seed=0)
    contest = Contest(WALKS, shops, TEXTS, same_for_all(tiny_options(), 1, 1), lambda _: None)
    with pytest.raises(SettingsError, match="uv sync --group privacy"):
        contest.run()
