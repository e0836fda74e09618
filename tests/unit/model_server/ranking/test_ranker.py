"""The ranker finds what was planted in a shop, is the same after being saved, and does as well alone as in a batch."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.data.local_time import MS_PER_DAY
from app.errors import ModelVersionError
from model_server.evaluation.basket import BasketRequest, basket_plan
from model_server.judging.questions import Question
from model_server.ranking.candidates import CandidateOptions
from model_server.ranking.facts import facts_of
from model_server.ranking.files import StoredRanker, load_ranker, save_ranker
from model_server.ranking.lines import moments_of
from model_server.ranking.names import names_of
from model_server.ranking.past import past_of
from model_server.ranking.promotion import nothing_promoted
from model_server.ranking.ranker import Ranked, Ranker, RankingOptions, describe
from model_server.ranking.tables import ItemTables
from model_server.ranking.train import RankerTraining, Shop, train_ranker
from tests.support.model import dataset_of, interactions_of

OPTIONS = RankingOptions(CandidateOptions(own=20, each=5))
PEOPLE, ITEMS, DAYS = 30, 40, 42


@dataclass(frozen=True)
class Trained:
    ranker: Ranker
    tables: ItemTables
    question: Question


@cache
def trained() -> Trained:
    """Everybody needs item u every week on their own day, and item 20 + u on any other day of four."""
    rows = [
        (user, user % 20 if (day + user) % 7 == 0 else 20 + user % 20, day * MS_PER_DAY + user * 3_600_000 // 2)
        for day in range(DAYS)
        for user in range(PEOPLE)
        if (day + user) % 7 == 0 or (day * 7 + user) % 4 == 0
    ]
    dataset = dataset_of(interactions_of(rows, PEOPLE, ITEMS))
    later = basket_plan(dataset, BasketRequest("next", train_share=0.85, share=1.0))
    known = replace(dataset, interactions=later.training)
    plan = basket_plan(known, BasketRequest("next", train_share=0.5, share=1.0))
    shop = Shop(facts_of(dataset.catalog), "UTC", nothing_promoted)
    done = train_ranker(plan, shop, OPTIONS, RankerTraining(seeds=(0,)))
    question = next(step.question for step in later.steps(1_000) if step.question is not None)
    return Trained(done.ranker, done.tables.at(int(question.cases.now_ms[0])), question)


def ranked(cases: slice) -> Ranked:
    asked = trained().question.cases
    moments = moments_of(
        replace(asked, histories=asked.histories[cases], users=asked.users[cases], now_ms=asked.now_ms[cases])
    )
    return trained().ranker.rank(
        moments, past_of(asked.histories[cases], moments, OPTIONS.window), trained().tables, nothing_promoted
    )


def test_a_rhythm_is_found_that_counting_does_not_see() -> None:
    relevant = trained().question.relevant
    first = ranked(slice(None))
    best = first.items[np.searchsorted(first.owners, np.arange(len(relevant)))]
    right = np.mean([item in wanted for item, wanted in zip(best, relevant, strict=True)])
    most_had = [np.bincount(history.items).argmax() for history in trained().question.cases.histories]
    counted = np.mean([item in wanted for item, wanted in zip(most_had, relevant, strict=True)])
    assert right > counted + 0.1


def test_a_user_alone_is_ranked_as_in_a_batch() -> None:
    together, alone = ranked(slice(None)), ranked(slice(3, 4))
    of_third = together.owners == 3
    assert together.items[of_third].tolist() == alone.items.tolist()
    assert together.scores[of_third] == pytest.approx(alone.scores)


def test_what_lies_in_the_cart_is_no_candidate_and_discovery_shows_nothing_had() -> None:
    asked, tables = trained().question.cases, trained().tables
    had = asked.histories[0].items[-1:].astype(np.int32)
    one = replace(asked, histories=asked.histories[:1], users=asked.users[:1], now_ms=asked.now_ms[:1], carts=[had])
    moments = moments_of(one)
    past = past_of(one.histories, moments, OPTIONS.window)
    assert int(had[0]) not in describe(moments, past, tables, nothing_promoted, OPTIONS).pairs.items
    new = RankingOptions(CandidateOptions(own=0, each=5))
    shown = describe(moments, past, tables, nothing_promoted, new).pairs.items
    assert not set(shown.tolist()) & set(one.histories[0].items.tolist())


def stored() -> StoredRanker:
    log = trained().question.cases.histories[0]
    return StoredRanker(trained().ranker, trained().tables, log, names_of(log))


def test_what_was_saved_ranks_the_same(tmp_path: Path) -> None:
    save_ranker(tmp_path, stored())
    loaded = load_ranker(tmp_path)
    cases = trained().question.cases
    moments = moments_of(cases)
    got = loaded.ranker.rank(
        moments, past_of(cases.histories, moments, OPTIONS.window), loaded.tables, nothing_promoted
    )
    wanted = ranked(slice(None))
    assert got.items.tolist() == wanted.items.tolist()
    assert got.scores == pytest.approx(wanted.scores)


def test_a_damaged_ranker_is_refused(tmp_path: Path) -> None:
    save_ranker(tmp_path, stored())
    (tmp_path / "ranking.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelVersionError, match="cannot be read"):
        load_ranker(tmp_path)
