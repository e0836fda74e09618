"""The card says what the numbers of this very model say."""

from dataclasses import replace

import msgspec
import numpy as np

from model_server.hybrid.blend import BlendWeights
from model_server.hybrid.parts import BlendGain
from model_server.model.members import Members, each_of
from model_server.registry.card import model_card
from model_server.training.findings import BY_HISTORY, BY_POPULARITY, findings, slices_of
from model_server.training.validation import ValidationSplit
from tests.support.model import interactions_of
from tests.support.planted import WordEncoder, planted_model
from tests.support.tuned import a_tuned_encoder


def a_split() -> ValidationSplit:
    """Item 0 occurs twelve times, the others once; three users of whom 2, 6 and 11 events are known."""
    rows = [(0, 0, step) for step in range(12)] + [(1, item, 20 + item) for item in range(1, 8)]
    return ValidationSplit(
        training=interactions_of(rows, users=2, items=8),
        histories=[np.arange(2), np.arange(6), np.arange(11)],
        targets=np.array([0, 1, 2]),
    )


def test_slices_hold_the_hits_of_their_cases() -> None:
    found = findings(np.array([1.0, 3.0, 50.0]), a_split(), items=8)
    assert slices_of(found, BY_HISTORY) == {"1 to 5": (1.0, 1), "6 to 10": (1.0, 1), "11 to 20": (0.0, 1)}
    by_popularity = slices_of(found, BY_POPULARITY)
    assert by_popularity["most popular quarter"] == (1.0, 1)
    assert sum(cases for _, cases in by_popularity.values()) == 3
    assert found["validation_hr10_low"] <= 2 / 3 <= found["validation_hr10_high"]


def test_the_card_tells_of_members_where_there_are_some() -> None:
    model = planted_model({"a": "one", "b": "two"}, WordEncoder())
    assert "such networks" not in model_card(model)
    network = Members([*each_of(model.network), *each_of(model.network)])
    card = model_card(replace(model, network=network, metrics={"member_hr10": 0.25, "member_ndcg10": 0.125}))
    assert "2 such networks, trained from seeds one apart, whose logits are averaged" in card
    assert "one alone has HR@10 0.2500, NDCG@10 0.1250" in card


def test_without_validation_users_nothing_is_found_and_the_card_stands() -> None:
    split = replace(a_split(), histories=[], targets=np.zeros(0, dtype=np.int64))
    found = findings(np.zeros(0), split, items=8)
    assert slices_of(found, BY_HISTORY) == {}
    model = planted_model({"a": "one", "b": "two"}, WordEncoder())
    assert "## Where it is weak" in model_card(replace(model, metrics=found))


def test_the_card_shows_intervals_slices_blend_and_options() -> None:
    model = planted_model({"a": "one", "b": "two"}, WordEncoder())
    metrics = {"validation_hr10": 2 / 3, "validation_users": 3.0, "best_epoch": 2.0, "epochs": 4.0, "seconds": 12.0}
    found = findings(np.array([1.0, 3.0, 50.0]), a_split(), items=8)
    gain = BlendGain(users=3, network_hr10=0.25, blended_hr10=0.3)
    card = model_card(
        replace(
            model,
            metrics={**metrics, "peak_memory_mb": 900.0, **found},
            data=msgspec.structs.replace(model.data, options={"seed": 7, "dropout": 0.5}),
            hybrid=replace(model.hybrid, weights=BlendWeights(covisitation=0.35), gain=gain),
        )
    )
    for line in (
        "| HR@10 | 0.6667 | 0.0000 to 1.0000 |",
        "| 11 to 20 | 0.000 | 1 (too few to say) |",
        "model 1, covisitation 0.35",
        "| HR@10 | 0.2500 | 0.3000 |",
        "epoch 2 of 4, 12 s, peak memory 900 MB",
        "options: seed 7, dropout 0.5",
    ):
        assert line in card, line


def test_a_private_versions_card_says_what_is_promised_instead_of_how_good_it_is() -> None:
    model = planted_model({"a": "one", "b": "two"}, WordEncoder())
    private = {"epsilon": 2.98, "delta": 5e-4, "people": 943.0, "noise": 5.8, "popularity_noise": 3.5}
    steps = {"sample_rate": 0.25, "steps": 400.0}
    metrics = {f"private_{name}": value for name, value in (private | steps).items()}
    card = model_card(replace(model, metrics=metrics | {"epochs": 100.0, "seconds": 60.0}))
    assert "(2.98, 5.0e-04)-differential privacy of every one of 943 people" in card
    assert "400 steps of DP-SGD" in card
    assert "Validation" not in card


def test_the_card_says_how_texts_are_read_and_what_fine_tuning_found() -> None:
    model = planted_model({"a": "one", "b": "two"}, WordEncoder())
    assert f"By `{model.text_encoder}`, as it was pretrained." in model_card(model)
    tuned = a_tuned_encoder()
    card = model_card(replace(model, tuned=tuned))
    assert ", fine-tuned on planted (round 3 of 4, 12 s)" in card
    assert "| held-out items | 50 | 0.2000, 0.1000 | 0.2500, 0.1300 | +0.0100 to +0.0500 |" in card
    assert "fine-tuning it on planted did not help" in model_card(replace(model, tuned=replace(tuned, weights={})))
