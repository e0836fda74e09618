"""`riverrun models`: what a person and a program see."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from app.errors import ModelVersionError
from model_server.commands.models import app
from model_server.registry.champion import champion_of, read_succession
from model_server.registry.save import save_version
from model_server.text.pretrained import FINGERPRINT
from tests.unit.model_server.registry.test_version import NOW_MS, a_model


def save(models: Path, seed: int, text_encoder: str = FINGERPRINT, parent: str = "") -> str:
    model = a_model(seed)
    data = msgspec.structs.replace(model.data, code="0.1.0+abc", parent=parent)
    return save_version(models, replace(model, text_encoder=text_encoder, data=data), NOW_MS + seed * 60_000).name


def riverrun_models(*arguments: str, models: Path) -> str:
    result = CliRunner().invoke(app, [*arguments, "--models-dir", str(models)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.fixture
def versions(tmp_path: Path) -> tuple[str, str]:
    return save(tmp_path, 1), save(tmp_path, 2)


def test_promote_and_rollback_change_the_champion(tmp_path: Path, versions: tuple[str, str]) -> None:
    first, second = versions
    assert riverrun_models("promote", first, "--reason", "calmer", models=tmp_path) == f"{first}\n"
    succession = read_succession(tmp_path)
    assert succession is not None
    assert (succession.champion.version, succession.champion.reason) == (first, "calmer")
    assert riverrun_models("rollback", models=tmp_path) == f"{second}\n"
    assert champion_of(tmp_path) == second


def test_a_version_that_a_server_would_refuse_is_not_promoted(tmp_path: Path, versions: tuple[str, str]) -> None:
    first, second = versions
    riverrun_models("promote", second, models=tmp_path)
    (tmp_path / first / "items.json").write_text("[]")
    with pytest.raises(ModelVersionError, match=r"items\.json is truncated or was changed"):
        riverrun_models("promote", first, models=tmp_path)
    foreign = save(tmp_path, 3, text_encoder="another")
    with pytest.raises(ModelVersionError, match="reads texts of the encoder another"):
        riverrun_models("promote", foreign, models=tmp_path)
    with pytest.raises(ModelVersionError, match=f"There is: {foreign}, {second}"):
        riverrun_models("promote", "20200101-000000-abcdef", models=tmp_path)
    assert champion_of(tmp_path) == second


def test_a_rollback_passes_over_a_damaged_version(tmp_path: Path, versions: tuple[str, str]) -> None:
    third = save(tmp_path, 3)
    for name in (*versions, third):
        riverrun_models("promote", name, models=tmp_path)
    (tmp_path / versions[1] / "items.json").write_text("[]")
    assert riverrun_models("rollback", models=tmp_path) == f"{versions[0]}\n"


def test_the_list_marks_the_champion_and_what_is_damaged(tmp_path: Path, versions: tuple[str, str]) -> None:
    first, second = versions
    riverrun_models("promote", first, models=tmp_path)
    (tmp_path / second / "data.json").unlink()
    lines = riverrun_models("list", models=tmp_path).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == [second, "*"]
    assert lines[2].split()[1] == first
    assert "damaged" in lines[1]
    known = json.loads(riverrun_models("list", "--json", models=tmp_path))
    assert known["champion"] == first
    assert [each["version"] for each in known["versions"]] == [second, first]
    assert known["versions"][1]["data"]["events"] == 10
    assert known["succession"]["champion"]["version"] == first


def test_without_a_champion_the_list_says_who_is_served(tmp_path: Path, versions: tuple[str, str]) -> None:
    lines = riverrun_models("list", models=tmp_path).splitlines()
    assert lines[1].split()[:2] == ["*", versions[1]]
    assert "the newest version is served" in lines[-1]
    assert "no version yet" in riverrun_models("list", models=tmp_path / "nowhere")


def test_a_version_is_shown_with_where_it_comes_from(tmp_path: Path) -> None:
    parent = save(tmp_path, 1)
    child = save(tmp_path, 2, parent=parent)
    card = riverrun_models("show", child, models=tmp_path)
    assert "0.1.0+abc" in card
    assert parent in card
    described = json.loads(riverrun_models("show", "--json", models=tmp_path))
    assert (described["version"], described["data"]["parent"]) == (child, parent)
    assert described["size_bytes"] > 1_000


def test_two_versions_are_compared(tmp_path: Path, versions: tuple[str, str]) -> None:
    first, second = versions
    line = json.loads(riverrun_models("compare", first, second, "--json", models=tmp_path))
    assert line["psi"] == {}  # these two have no reference of events
    assert line["figures"]["items"] == [6, 6]
    assert (line["items_gone"], line["items_come"]) == (0, 0)
    shown = riverrun_models("compare", first, models=tmp_path)  # with the champion
    assert "PSI" not in shown
    assert "trained items: 0 gone, 0 come" in shown
