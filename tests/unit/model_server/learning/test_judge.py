"""Two versions on the same live events: what learned the truth beats what learned noise, never the other way."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from app.data.interactions import Dataset
from app.data.source import DataSource, open_dataset
from app.errors import DataError
from app.interests.state import Kind
from model_server.learning.gate import Outcome, Rules, decide
from model_server.learning.judge import Encoding, Shown, compare, joined, shown_by, trial_of
from model_server.learning.past import begin_with
from model_server.learning.planted import drifted, poison
from model_server.learning.snapshot import Extent, write_snapshot
from model_server.learning.store import EventStore
from model_server.registry.version import TrainedModel
from model_server.training.run import TrainingJob, train_model
from tests.support.learning import NOW_MS, PLENTY
from tests.support.model import HashEncoder, planted_dataset, tiny_options

CUT = 480  # of 720 steps
LIVE = 240
ENCODING = Encoding(lambda _tuned: HashEncoder(), 14)
RULES = Rules(first_look=240, looks=1, coverage_kept=0.8)


def trained(dataset: Dataset) -> TrainedModel:
    job = TrainingJob(dataset, dataset.interactions, 0, 14)
    return train_model(job, HashEncoder(), tiny_options(epochs=3), torch.device("cpu"), lambda _: None)


@cache
def walks() -> Dataset:
    return planted_dataset(users=80, items=40)


def honest() -> TrainedModel:
    return trained(replace(walks(), interactions=walks().interactions.take(slice(0, CUT))))


def poisoned(folder: Path) -> TrainedModel:
    """As the learner would train it, from a snapshot in which the items were dealt out by chance."""
    store = EventStore(folder / "store", PLENTY)
    begin_with(store, folder, walks(), NOW_MS)
    write_snapshot(store, folder / "kept", walks().catalog, Extent.below(CUT))
    poison(folder / "kept", seed=3)
    return trained(open_dataset(DataSource(str(folder / "kept")), folder, lambda _: None))


def test_a_poisoned_challenger_is_refused_and_a_poisoned_champion_is_replaced(tmp_path: Path) -> None:
    trial = trial_of(walks(), LIVE, ENCODING)
    good, bad = (shown_by(trial, model) for model in (honest(), poisoned(tmp_path)))
    forth, back = (compare(trial.facts, *pair, RULES.level) for pair in ((good, bad), (bad, good)))
    assert decide(forth, 0, RULES).outcome is Outcome.REFUSE
    assert decide(back, 0, RULES).outcome is Outcome.PROMOTE
    assert forth.ndcg10.mean == -back.ndcg10.mean
    assert forth.champion == back.challenger
    assert forth.events == LIVE
    parts = [good.take(part) for part in (slice(0, 99), slice(99, None))]
    same = compare(trial.facts, good, joined(parts), RULES.level)
    assert (same.ndcg10.low, same.ndcg10.high, same.champion) == (0, 0, same.challenger)
    assert decide(same, 0, RULES).outcome is Outcome.REFUSE


def test_what_was_turned_down_is_no_right_answer() -> None:
    """The challenger is right of everything that was disliked, and of nothing else."""
    kinds = np.where(np.arange(100) % 2, int(Kind.DISLIKE), int(Kind.VIEW)).astype(np.int8)
    right = (kinds == int(Kind.DISLIKE)).astype(np.float64)
    lists, users = np.zeros((100, 10), np.int32), np.arange(100)
    items = np.zeros(100, np.int32)
    champion = Shown(users, np.full((100, 2), 0.1), lists, kinds, items)
    challenger = Shown(users, np.stack([right, right], axis=1), lists, kinds, items)
    facts = trial_of(walks(), LIVE, ENCODING).facts
    figures = compare(facts, champion, challenger, RULES.level)
    assert (figures.events, figures.users, figures.challenger.ndcg10) == (50, 50, 0)
    assert decide(figures, 0, RULES).outcome is Outcome.REFUSE
    turned_down = kinds == int(Kind.DISLIKE)
    with pytest.raises(DataError, match="50 live events"):
        compare(facts, champion.take(turned_down), challenger.take(turned_down), RULES.level)


@pytest.mark.parametrize("people", [29, 30])
def test_new_items_are_asked_of_apart_where_enough_people_took_one(people: int) -> None:
    """The challenger is right of every item that there was something to learn of, and of no new one."""
    facts = replace(trial_of(walks(), LIVE, ENCODING).facts, popularity=np.arange(40).astype(np.int64))
    users, items = np.arange(200), np.where(np.arange(200) < people, 0, 5).astype(np.int32)
    kinds, lists = np.full(200, int(Kind.VIEW), np.int8), np.tile(np.arange(10, dtype=np.int32), (200, 1))
    old, new = (np.repeat(gains[:, None], 2, axis=1) for gains in (0.5 * np.ones(200), (items > 0).astype(np.float64)))
    figures = compare(facts, Shown(users, old, lists, kinds, items), Shown(users, new, lists, kinds, items), 0.95)
    assert figures.ndcg10.low > 0
    decision = decide(figures, 0, RULES)
    if people < 30:
        assert figures.cold_hr10 is None
        assert decision.outcome is Outcome.PROMOTE
    else:
        assert figures.cold_hr10 is not None
        assert figures.cold_hr10.mean == -0.5
        assert decision.outcome is Outcome.REFUSE
        assert "HR@10 on new items falls by 0.5" in decision.why


def test_who_has_seen_a_drift_takes_over_from_who_has_not() -> None:
    shop = drifted(planted_dataset(users=80, items=40, length=15), 400, seed=0)
    champion, challenger = (
        trained(replace(shop, interactions=shop.interactions.take(slice(0, cut)))) for cut in (400, 960)
    )
    trial = trial_of(shop, 240, ENCODING)
    figures = compare(trial.facts, shown_by(trial, champion), shown_by(trial, challenger), RULES.level)
    assert decide(figures, 0, RULES).outcome is Outcome.PROMOTE


def test_a_drift_swaps_half_of_the_catalogue_from_one_moment_on() -> None:
    before, after = walks().interactions, drifted(walks(), CUT, seed=0).interactions
    assert np.array_equal(before.items[:CUT], after.items[:CUT])
    moved = before.items[CUT:] != after.items[CUT:]
    assert 0.3 < moved.mean() < 0.6
    assert len({*zip(before.items[CUT:], after.items[CUT:], strict=True)}) == len({*before.items[CUT:]})
