"""What is kept of what visitors did, and that it is gone when it should be."""

from dataclasses import dataclass
from pathlib import Path

from app.gateway.interests import InterestsKeeper, InterestsParts, remove_interests
from app.gateway.metrics import TABLE
from app.interests.state import Interaction, Kind, StateCause, UserState, encode_state
from app.observability import Metrics


@dataclass(frozen=True)
class Record:
    key: bytes
    value: bytes | None
    offset: int


def kept(folder: Path, *records: Record) -> int:
    """How many interactions of ann a gateway shows that reads these records."""
    keeper = InterestsKeeper(InterestsParts(folder, 1, Metrics(TABLE), lambda: 5), "topic-id")
    keeper.take({0: records})
    shown = len(keeper.view("ann").interactions)
    keeper.close()
    return shown


def state(*item_ids: str) -> bytes:
    version = len(item_ids)
    done = [Interaction(item_id, Kind.VIEW, 1_000) for item_id in item_ids]
    return encode_state(UserState.of(version, StateCause("e", "view", 1, 1), done))


def test_the_changelog_of_the_agents_says_what_is_known(tmp_path: Path) -> None:
    newer, older = Record(b"ann", state("tea", "cup"), 0), Record(b"ann", state("tea"), 1)
    assert kept(tmp_path, newer, older) == 2  # a worker that had lost its partition wrote once more
    assert kept(tmp_path, Record(b"ann", None, 2)) == 0


def test_what_is_not_kept_any_more_is_removed(tmp_path: Path) -> None:
    (tmp_path / "score-requests-its-id").mkdir()
    assert kept(tmp_path, Record(b"ann", state("tea"), 0)) == 1
    [folder] = tmp_path.iterdir()
    assert folder.name == "interests-changelog-topic-id"
    remove_interests(tmp_path)
    assert not list(tmp_path.iterdir())
