"""Options that nothing can be trained with are refused before anything is read."""

import pytest

from app.errors import DataError
from model_server.training.chosen import with_choices
from model_server.training.options import PRIVATE, SPARSE, TrainingOptions


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"members": 0}, "members must be at least 1"),
        ({"batch_sequences": 0}, "batch_sequences must be at least 1"),
        ({"heads": 3}, "3 heads do not divide 128 dimensions"),
        ({"negatives": -5}, "negatives must not be below 0"),
        ({"seed": -1}, "seed must not be below 0"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1"),
        ({"learning_rate": 1e6}, "learning_rate must lie between"),
        ({"clip_norm": 0.0}, "clip_norm above 0"),
        ({"epochs": "many"}, "Expected `int`"),
    ],
)
def test_nonsense_is_refused(choices: dict[str, int | float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        with_choices(TrainingOptions(), choices)


def test_the_recipes_are_accepted() -> None:
    assert with_choices(SPARSE, {}) == SPARSE
    assert with_choices(TrainingOptions(), {"epsilon": 3.0}).dimension == PRIVATE.dimension
