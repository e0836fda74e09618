"""surfaces.yml: what is packaged, and what is refused."""

from pathlib import Path

import pytest

from app.errors import SettingsError
from app.surfaces.surface import Hide, Source, load_surfaces


def test_the_packaged_file_has_home_and_popular() -> None:
    surfaces = {surface.name: surface for surface in load_surfaces().surfaces}
    home = surfaces["home"]
    assert home.size == 20
    assert home.hide == {Hide.SEEN}
    assert home.uses(Source.FOR_YOU)
    assert home.uses(Source.POPULARITY)
    assert [spec.source for spec in surfaces["popular"].sources] == [Source.POPULARITY]


@pytest.mark.parametrize(
    ("surface", "names"),
    [
        ("{size: 5, sources: [magic]}", "magic"),
        ("{size: 0, sources: [for_you]}", "size"),
        ("{size: 5, sources: []}", "sources"),
        ("{size: 5, sources: [for_you], hide: [everything]}", "everything"),
        ("{size: 5, sources: [for_you], colour: red}", "colour"),
        ("{size: 5, sources: [for_you, for_you]}", "twice"),
        ("{size: 1, sources: [for_you, {source: new, slots: 2}]}", "2 slots of 1"),
    ],
)
def test_a_wrong_surface_is_refused_and_named(tmp_path: Path, surface: str, names: str) -> None:
    file = tmp_path / "surfaces.yml"
    file.write_text(f"rating_scale: 5\nsurfaces:\n  home: {surface}\n")
    with pytest.raises(SettingsError, match=names):
        load_surfaces(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yml"):
        load_surfaces(tmp_path / "nowhere.yml")
