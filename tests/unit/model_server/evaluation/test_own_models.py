"""What riverrun's own models are, for the question that is asked."""

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from app.contracts.catalog import CatalogItem
from app.data.interactions import Dataset
from model_server.evaluation.baselines.context import Context
from model_server.evaluation.contestants import RIVERRUN
from model_server.evaluation.own_models import OwnModels, Wanted
from model_server.judging.cases import Cases
from tests.support.model import interactions_of
from tests.support.planted import WordEncoder, planted_model

TEXTS = {"0": "space film", "1": "space ship", "2": "jazz band"}
LOG = interactions_of([(0, 0, 1_000)], users=1, items=3)


@pytest.mark.parametrize("repeats", [False, True])
def test_what_a_user_had_is_among_the_candidates_where_things_come_back(*, repeats: bool) -> None:
    catalog = tuple(CatalogItem(item_id=item_id, title=title) for item_id, title in TEXTS.items())
    cpu, encoder = torch.device("cpu"), WordEncoder()
    context = Context(catalog, 14, 0, cpu, lambda _: encoder, Path("nowhere"), lambda _: None)
    dataset = Dataset("planted", LOG, catalog, "0" * 64)
    own = OwnModels(dataset, context, Wanted(None, None, repeats=repeats), (), Console(quiet=True))
    recommender = own.recommender(RIVERRUN, planted_model(TEXTS, encoder), LOG)
    scores = recommender.scores(Cases([LOG], np.zeros(1, np.int64), np.array([2_000])))
    assert (scores[0].argmax() == 0) == repeats
