"""The folder of a worker's tables."""

from pathlib import Path

import pytest

from app.errors import SettingsError, StateError
from app.state_folder import claimed_folder
from stream_agents.state_folder import check_topic_ids


def test_a_folder_serves_one_worker_at_a_time(tmp_path: Path) -> None:
    with (
        claimed_folder(tmp_path / "state", "THE_SETTING"),
        pytest.raises(StateError, match=r"Another process uses .* THE_SETTING"),
        claimed_folder(tmp_path / "state", "THE_SETTING"),
    ):
        pass
    with claimed_folder(tmp_path / "state", "THE_SETTING") as folder:
        assert folder.is_dir()


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="THE_SETTING"), claimed_folder(tmp_path / "file", "THE_SETTING"):
        pass


def test_topic_ids_are_remembered_and_a_topic_made_anew_is_refused(tmp_path: Path) -> None:
    check_topic_ids(tmp_path, {"events": "id-1"})
    check_topic_ids(tmp_path, {"events": "id-1", "changelog": "id-2"})

    with pytest.raises(StateError, match="events was deleted and made again") as refused:
        check_topic_ids(tmp_path, {"events": "id-3", "changelog": "id-2"})
    for worked_out in ("interests-changelog", "score-requests", "recommendations", "state folder"):
        assert worked_out in refused.value.hint
    with pytest.raises(StateError, match="changelog was deleted"):
        check_topic_ids(tmp_path, {"events": "id-1", "changelog": "id-9"})
