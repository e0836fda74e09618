"""Who takes part, by name."""

from pathlib import Path

import pytest
import torch

from app.errors import DataError
from model_server.evaluation.baselines.context import Context
from model_server.evaluation.contestants import OwnFits, contestants, default_models
from model_server.judging.cases import Fit
from tests.support.model import HashEncoder, planted_dataset

CONTEXT = Context(
    catalog=planted_dataset(users=2, items=3, length=2).catalog,
    half_life_days=14,
    seed=0,
    device=torch.device("cpu"),
    encoder_of=lambda _: HashEncoder(),
    cache_dir=Path("nowhere"),
    on_message=lambda _: None,
)


def never(_seed: int) -> Fit:
    raise AssertionError("nobody was to be made")


ONE: OwnFits = {"": lambda _name: never}
TWO: OwnFits = {"@a": lambda _name: never, "@b": lambda _name: never}


def names(models: list[str], own: OwnFits) -> list[str]:
    return [each.name for each in contestants(models, own, CONTEXT, (0, 1), trained=True)]


def test_unless_told_riverrun_takes_part_where_it_can_with_the_cheap_counts() -> None:
    assert default_models("loo", "", {}) == ("popularity", "decayed-popularity", "covisitation")
    assert default_models("stream", "", ONE) == ("riverrun", "popularity", "decayed-popularity", "covisitation")
    assert default_models("basket", "next", ONE) == ("riverrun", "decayed-popularity", "own-frequency")
    assert default_models("basket", "new", ONE) == ("riverrun", "lists", "decayed-popularity")


def test_several_versions_take_part_one_by_one() -> None:
    assert names(["network", "ease"], TWO) == ["network@a", "network@b", "ease"]


def test_a_name_said_twice_takes_part_once() -> None:
    assert names(["ease", "ease"], {}) == ["ease"]


def test_what_has_nothing_to_do_with_chance_is_made_once() -> None:
    seeds = {
        each.name: each.seeds for each in contestants(["riverrun", "ease", "bpr"], ONE, CONTEXT, (0, 1), trained=True)
    }
    assert seeds == {"riverrun": (0, 1), "ease": (0,), "bpr": (0, 1)}
    (version,) = contestants(["riverrun"], ONE, CONTEXT, (0, 1), trained=False)
    assert version.seeds == (0,)


def test_a_wrong_name_is_told_the_right_one() -> None:
    with pytest.raises(DataError, match="Did you mean item-knn"):
        names(["item-knm"], {})
    with pytest.raises(DataError, match="Say --train"):
        names(["riverrun"], {})
