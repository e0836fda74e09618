"""What a learner refuses to start with."""

from pathlib import Path

import pytest

from app.errors import SettingsError
from model_server.learning.start import check_options


def test_private_options_are_refused(tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text('{"epochs": 1, "epsilon": 8.0}')
    with pytest.raises(SettingsError, match="privacy budget"):
        check_options(tmp_path / "options.json")
    (tmp_path / "plain.toml").write_text("epochs = 1")
    check_options(tmp_path / "plain.toml")
    check_options(None)
