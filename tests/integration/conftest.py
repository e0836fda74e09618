"""What several integration tests share."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.settings import Settings

if TYPE_CHECKING:
    from tests.support.swapping import Versions


@pytest.fixture(scope="session")
def planted_versions(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> "Versions":
    """Made once for the whole run; take `versions`."""
    from tests.support.swapping import plant_versions  # noqa: PLC0415  # torch

    return plant_versions(tmp_path_factory.mktemp("planted") / "models", settings)


@pytest.fixture
def versions(planted_versions: "Versions", tmp_path: Path) -> "Versions":
    """Two model versions in a folder of the test's own, the first one champion."""
    folder = tmp_path / "models"
    shutil.copytree(planted_versions.folder, folder)
    return replace(planted_versions, folder=folder)
