"""The gate: what is better passes, what is as good or worse does not, however often it is looked at."""

from collections.abc import Sequence
from dataclasses import replace as dataclass_replace

import numpy as np
import pytest
from msgspec import structs

from model_server.judging.bootstrap import Interval, bootstrap
from model_server.learning.gate import LEAST_USERS, Figures, Outcome, Rules, Side, decide

RULES = Rules(first_look=1_000, looks=3, coverage_kept=0.8)
SIDE = Side(hr10=0.2, ndcg10=0.1, coverage10=0.5, empty_share=0.0)


def figures(low: float, high: float, **challenger: float) -> Figures:
    middle = (low + high) / 2
    return Figures(
        events=1_000,
        users=200,
        level=RULES.level,
        champion=SIDE,
        challenger=structs.replace(SIDE, ndcg10=SIDE.ndcg10 + middle, **challenger),
        ndcg10=Interval(middle, low, high),
        hr10=Interval(middle, low, high),
    )


def test_what_is_better_is_promoted_and_the_figures_are_said() -> None:
    decision = decide(figures(0.01, 0.03), 0, RULES)
    assert decision.outcome is Outcome.PROMOTE
    assert "NDCG@10 0.1200 against 0.1000 on 1,000 events of 200 users" in decision.why


def test_what_is_worse_is_refused_at_the_first_look() -> None:
    assert decide(figures(-0.03, -0.01), 0, RULES).outcome is Outcome.REFUSE


def test_what_shows_no_difference_is_looked_at_again_and_refused_in_the_end() -> None:
    outcomes = [decide(figures(-0.01, 0.03), look, RULES).outcome for look in range(3)]
    assert outcomes == [Outcome.LOOK_AGAIN, Outcome.LOOK_AGAIN, Outcome.REFUSE]
    assert [RULES.events_at(look) for look in range(3)] == [1_000, 2_000, 4_000]


def test_few_users_decide_nothing() -> None:
    few = structs.replace(figures(0.01, 0.03), users=LEAST_USERS - 1)
    assert decide(few, 0, RULES).outcome is Outcome.LOOK_AGAIN
    assert decide(few, 2, RULES).outcome is Outcome.REFUSE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coverage10": 0.39}, "coverage"),
        ({"empty_share": 0.001}, "empty lists"),
    ],
)
def test_a_guardrail_refuses_what_is_better(change: dict[str, float], said: str) -> None:
    decision = decide(figures(0.01, 0.03, **change), 0, RULES)
    assert decision.outcome is Outcome.REFUSE
    assert said in decision.why


def test_hits_must_not_be_given_up_for_their_order() -> None:
    fewer_hits = structs.replace(figures(0.01, 0.03), hr10=Interval(-0.02, -0.03, -0.01))
    assert decide(fewer_hits, 0, RULES).outcome is Outcome.REFUSE


def looked_at(users: Sequence[int], gains: "np.ndarray[tuple[int], np.dtype[np.float64]]", rules: Rules) -> Outcome:
    """What the gate comes to, look after look."""
    outcome = Outcome.LOOK_AGAIN
    for look in range(rules.looks):
        if outcome is Outcome.LOOK_AGAIN:
            seen = rules.events_at(look)
            [interval] = bootstrap(np.array(users[:seen]), gains[:seen, None], 0, resamples=300, level=rules.level)
            found = structs.replace(figures(0, 0), users=len(set(users[:seen])), ndcg10=interval, hr10=interval)
            outcome = decide(found, look, rules).outcome
    return outcome


def test_of_versions_as_good_as_the_champion_few_pass_though_they_are_looked_at_three_times() -> None:
    rng, rules = np.random.default_rng(1), dataclass_replace(RULES, first_look=100)
    passed = 0
    for _ in range(200):
        users = rng.integers(60, size=400)
        of_user = rng.normal(scale=0.05, size=60)  # some like the one better, others the other
        passed += looked_at(users.tolist(), of_user[users] + rng.normal(scale=0.3, size=400), rules) is Outcome.PROMOTE
    assert passed / 200 < 0.05


def test_one_visitor_who_sends_a_third_of_all_events_moves_no_champion() -> None:
    rng = np.random.default_rng(2)
    users = np.where(rng.random(4_000) < 1 / 3, 0, rng.integers(1, 200, size=4_000))
    gains = np.where(users == 0, 0.9, rng.normal(-0.01, 0.2, size=4_000))
    assert looked_at(users.tolist(), gains, RULES) is Outcome.REFUSE
