"""COLD keeps items away from the training, and the lists of a shopper have places for them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from app.data.formats.names import Format
from app.data.source import DataSource
from app.settings import Settings
from model_server.evaluation.cold import cold_plan, new_items
from model_server.evaluation.live_version import Surroundings
from model_server.evaluation.request import EvaluationRequest
from model_server.evaluation.served_lists import first_list
from model_server.evaluation.session import run_evaluation
from model_server.training.run import TrainingJob, train_model
from tests.support.model import HashEncoder, cases_of, planted_dataset, tiny_options

WALKS = planted_dataset(users=60, items=40)


def test_a_share_of_the_items_is_learned_by_nobody_and_asked_apart() -> None:
    log = WALKS.interactions
    plan = cold_plan(log, share=0.25, seed=3)
    new = new_items(40, 0.25, 3)
    assert new.sum() == 10
    assert not new[plan.training.items].any()
    asked = [int(items[0]) for step in plan.steps(7) if step.question for items in step.question.relevant]
    assert plan.groups["cold"].tolist() == new[asked].tolist()
    assert (plan.groups["cold"] ^ plan.groups["warm"]).all()
    assert new_items(40, 0.25, 4).tolist() != new.tolist()


def test_the_shoppers_list_shows_new_items_and_nothing_seen() -> None:
    log, encoder = WALKS.interactions, HashEncoder()
    plan = cold_plan(log, share=0.25, seed=3)
    new = new_items(40, 0.25, 3)
    job = TrainingJob(WALKS, plan.training, 0, 14)
    model = train_model(job, encoder, tiny_options(epochs=1), torch.device("cpu"), lambda _: None)
    lists = first_list(model, Surroundings(WALKS.catalog, encoder, 14), plan.training)
    histories = [log.take(log.users == user) for user in range(5)]
    scores = lists.scores(cases_of(histories))
    shown = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    assert (new[shown].sum(axis=1) >= 2).all()
    for row, history in enumerate(histories):
        assert not np.isin(shown[row], history.items).any()
    again = first_list(model, Surroundings(WALKS.catalog, encoder, 14), plan.training)
    one_by_one = np.concatenate([again.scores(cases_of([history])) for history in histories])
    assert np.array_equal(scores, one_by_one)


def test_the_report_tells_cold_from_warm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "walks.txt"
    path.write_text(
        "\n".join(f"u{user} " + " ".join(f"i{(user + step) % 20}" for step in range(8)) for user in range(20))
    )
    request = EvaluationRequest(
        protocol="cold",
        task="",
        source=DataSource(str(path), Format.SEQUENCES),
        models=("popularity", "covisitation"),
        against="",
        choices=None,
        seeds=(0,),
        versions=(),
        train_share=0.6,
        share=0.2,
        max_events=0,
        relearn_days=0,
        repeats=False,
        staleness=False,
        noise=0,
        plots=None,
        threads=0,
        as_json=True,
    )
    run_evaluation(request, Settings(cache_dir=tmp_path / "cache"))
    printed = capsys.readouterr().out
    assert "cold: 4 cases" in printed
    groups = json.loads(printed.splitlines()[-1])["results"]["covisitation"]["groups"]
    assert (groups["cold"]["cases"], groups["warm"]["cases"]) == (4, 16)
    assert groups["cold"]["hr10"][0] == 0  # nobody can count what nobody had
    assert groups["warm"]["hr10"][0] > 0.9
