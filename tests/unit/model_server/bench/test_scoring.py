"""`riverrun bench scoring`, tiny: the catalogue looks like a real one, and every way is measured."""

from pathlib import Path

import torch

from app.settings import Settings
from model_server.bench.catalog import near_real
from model_server.bench.scoring import ScoringRequest, measure_scoring
from model_server.registry.save import save_version
from tests.support.planted import WordEncoder, planted_model

ENCODER = WordEncoder()
TEXTS = {f"{topic}-{number}": f"{topic} number{number}" for topic in ("fish", "bird", "rock") for number in range(20)}


def test_more_items_lie_where_real_ones_lie() -> None:
    model = planted_model(TEXTS, ENCODER)
    texts = torch.from_numpy(model.texts)
    made = near_real(model.network, texts, 500, seed=1)
    assert made.texts.shape == (500, ENCODER.dimension)
    assert torch.equal(made.texts[: len(texts)], texts)
    nearest = (made.texts[len(texts) :] @ texts.T).amax(dim=1)
    random = torch.nn.functional.normalize(torch.randn(440, ENCODER.dimension), dim=1)
    assert nearest.mean() > 0.7
    assert (random @ texts.T).amax(dim=1).mean() < 0.5
    assert torch.equal(made.texts, near_real(model.network, texts, 500, seed=1).texts)
    assert len(near_real(model.network, texts, 30, seed=1).ids) == 30


def test_every_point_is_measured_beside_both_floors(tmp_path: Path, settings: Settings) -> None:
    save_version(tmp_path, planted_model(TEXTS, ENCODER), now_ms=1_790_000_000_000)
    request = ScoringRequest(batches=(1, 8), items=(40, 300), seconds=0.05, version=None, models_dir=tmp_path, seed=1)
    said: list[str] = []
    result = measure_scoring(request, settings, said.append)
    assert [(point.items, point.batch) for point in result.points] == [(40, 1), (40, 8), (300, 1), (300, 8)]
    for point in result.points:
        assert point.recall == 1.0
        assert min(point.users_per_s, point.bare_users_per_s, point.plain_users_per_s) > 0
    assert result.as_json()["ratio_bare"] == result.points[1].ratio_bare
    assert len(said) == 6
