"""What a process serves when it starts."""

from pathlib import Path

import pytest

from app.errors import ModelVersionError
from model_server.registry.champion import promote
from model_server.registry.find import find_version
from model_server.registry.version import ModelVersion
from tests.support.planted import WordEncoder, planted_model

FIRST, SECOND = "20261121-130501-ab12cd", "20261122-130501-ab12cd"
MODEL = planted_model({"a": "one"}, WordEncoder())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in (FIRST, SECOND):
        (tmp_path / name).mkdir()
    return tmp_path


def load(folder: Path) -> ModelVersion:
    if not folder.is_dir():
        raise ModelVersionError(f"There is no model version {folder}.")
    return ModelVersion(folder.name, folder, MODEL)


def test_no_model_version_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelVersionError, match="riverrun train"):
        find_version(tmp_path, None, load)
    with pytest.raises(ModelVersionError, match="20200101-000000-abcdef"):
        find_version(tmp_path, "20200101-000000-abcdef", load)


def test_the_champion_is_served_else_the_newest(models: Path) -> None:
    assert find_version(models, None, load).name == SECOND
    promote(models, FIRST, "", now_ms=1)
    assert find_version(models, None, load).name == FIRST
    assert find_version(models, SECOND, load).name == SECOND


def test_instead_of_a_champion_that_cannot_be_loaded_the_one_before_is_served(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, name in enumerate((FIRST, "20261123-130501-000000", "20261124-130501-000000")):
        promote(models, name, "", now_ms=number)
    assert find_version(models, None, load).name == FIRST
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "20261124-130501-000000 is not served" in caplog.text


def test_where_no_champion_can_be_loaded_it_says_why_the_first_cannot(models: Path) -> None:
    (models / SECOND).rmdir()
    (models / FIRST).rmdir()
    promote(models, FIRST, "", now_ms=1)
    promote(models, SECOND, "", now_ms=1)
    with pytest.raises(ModelVersionError, match=SECOND):
        find_version(models, None, load)
