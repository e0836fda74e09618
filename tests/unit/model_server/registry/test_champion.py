"""Who is champion: always exactly one, whoever is killed, and always a way back."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from app.errors import ModelVersionError
from model_server.registry.champion import (
    POINTER,
    Reign,
    champion_of,
    promote,
    read_succession,
    roll_back,
    settle,
    take_back,
)

FIRST, SECOND, THIRD = (f"2026112{day}-130501-ab12cd" for day in (1, 2, 3))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in (FIRST, SECOND, THIRD):
        (tmp_path / name).mkdir()
    return tmp_path


def everything(_name: str) -> bool:
    return True


def before(models: Path) -> list[str]:
    succession = read_succession(models)
    assert succession is not None
    return [reign.version for reign in succession.before]


def champion_reign(models: Path) -> Reign:
    succession = read_succession(models)
    assert succession is not None
    return succession.champion


def test_without_a_pointer_the_newest_version_is_served(models: Path, tmp_path: Path) -> None:
    assert champion_of(models) == THIRD
    assert champion_of(tmp_path / "nowhere") is None


def test_a_promotion_is_remembered_with_its_reason_and_who_was_before(models: Path) -> None:
    promote(models, FIRST, "a trial", now_ms=5)
    succession = promote(models, SECOND, "better", now_ms=9)
    assert succession == read_succession(models)
    assert succession.champion == Reign(version=SECOND, since_ms=9, reason="better")
    assert before(models) == [FIRST, THIRD]  # the third was served while there was no pointer


def test_promoting_the_champion_begins_a_new_reign_and_is_no_way_back_from_itself(models: Path) -> None:
    promote(models, FIRST, "a trial", now_ms=5)
    again = promote(models, FIRST, "in spite of all", now_ms=9)
    assert again.champion == Reign(version=FIRST, since_ms=9, reason="in spite of all")
    assert before(models) == [THIRD]


def test_the_history_is_bounded(models: Path) -> None:
    for number in range(22):
        promote(models, (FIRST, SECOND)[number % 2], "", now_ms=number)
    assert len(before(models)) == 20
    roll_back(models, "", 1, lambda name: name == FIRST)
    for number in range(20):
        promote(models, THIRD, "", now_ms=number)
        roll_back(models, "", number, everything)
    succession = read_succession(models)
    assert succession is not None
    assert len(succession.withdrawn) == 20


def test_who_was_champion_twice_is_no_way_back_from_itself(models: Path) -> None:
    for number, version in enumerate((FIRST, SECOND, FIRST, SECOND)):
        promote(models, version, "", now_ms=number)
    for wanted in (FIRST, THIRD):  # the third was served before there was a champion
        back = roll_back(models, "worse", 9, everything)
        assert back is not None
        assert back.champion.version == wanted


def test_a_rollback_goes_back_and_never_forth(models: Path) -> None:
    for name in (FIRST, SECOND, THIRD):
        promote(models, name, "", now_ms=1)
    back = roll_back(models, "it was worse", 7, everything)
    assert back is not None
    assert back.champion == Reign(version=SECOND, since_ms=7, reason="it was worse", restored=True)
    assert [(each.version, each.at_ms, each.reason) for each in back.withdrawn] == [(THIRD, 7, "it was worse")]
    again = roll_back(models, "so was that", 8, everything)
    assert again is not None
    assert again.champion.version == FIRST


def test_a_rollback_passes_over_what_cannot_be_loaded(models: Path) -> None:
    for name in (FIRST, SECOND, THIRD):
        promote(models, name, "", now_ms=1)
    back = roll_back(models, "", 2, lambda name: name == FIRST)
    assert back is not None
    assert back.champion.version == FIRST
    assert [each.version for each in back.withdrawn] == [SECOND, THIRD]


def test_a_rollback_to_nobody_is_refused_and_changes_nothing(models: Path) -> None:
    with pytest.raises(ModelVersionError, match="no champion to take back"):
        roll_back(models, "", 1, everything)
    promoted = promote(models, FIRST, "", now_ms=1)
    with pytest.raises(ModelVersionError, match="no champion before"):
        roll_back(models, "", 2, lambda _name: False)
    assert read_succession(models) == promoted


def test_who_is_taken_back_behind_somebody_else_is_no_way_back_any_more(models: Path) -> None:
    promote(models, FIRST, "", now_ms=1)
    bad = promote(models, SECOND, "", now_ms=2).champion
    newer = promote(models, THIRD, "", now_ms=3).champion
    holds = take_back(models, bad, "it was bad", 4, everything)
    assert holds == read_succession(models)
    assert holds is not None
    assert holds.champion == newer
    assert before(models) == [FIRST, THIRD]
    assert [(each.version, each.reason) for each in holds.withdrawn] == [(SECOND, "it was bad")]
    assert take_back(models, bad, "seen by another server", 5, everything) == holds


def test_who_is_taken_back_as_champion_is_rolled_back(models: Path) -> None:
    promote(models, FIRST, "", now_ms=1)
    bad = promote(models, SECOND, "", now_ms=2).champion
    holds = take_back(models, bad, "it was bad", 3, everything)
    assert holds is not None
    assert (holds.champion.version, holds.champion.restored) == (FIRST, True)


def test_who_was_promoted_anew_is_not_taken_back_for_the_reign_before(models: Path, tmp_path: Path) -> None:
    old = promote(models, FIRST, "", now_ms=1).champion
    anew = promote(models, FIRST, "", now_ms=2)
    assert take_back(models, old, "", 3, everything) == anew
    assert take_back(tmp_path / "nowhere", old, "", 3, everything) is None


def test_who_is_served_by_being_the_newest_stays_when_a_newer_one_is_saved(models: Path) -> None:
    settle(models, now_ms=1)
    (models / "20261124-130501-ab12cd").mkdir()
    settle(models, now_ms=2)
    assert champion_of(models) == THIRD


def test_settling_an_empty_folder_names_nobody(tmp_path: Path) -> None:
    settle(tmp_path / "new", now_ms=1)
    assert champion_of(tmp_path / "new") is None


def test_a_pointer_that_cannot_be_read_says_what_to_do_and_is_mended_by_a_promotion(models: Path) -> None:
    (models / POINTER).write_text('{"champion": ')
    with pytest.raises(ModelVersionError, match="riverrun models promote"):
        champion_of(models)
    promote(models, FIRST, "", now_ms=1)
    assert champion_of(models) == FIRST


class Killed(BaseException):
    """What nobody catches."""


class KilledAtLine:
    """Ends whatever runs in the registry or `app.files` before its n-th line.

    Nothing in there has a `finally` or an `except` that a real kill would pass by, but for releasing the lock, which
    the kernel does too.
    """

    def __init__(self, line: int) -> None:
        self._left = line

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> "KilledAtLine | None":
        if not frame.f_code.co_filename.endswith(("registry/champion.py", "app/files.py")):
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                raise Killed
        return self


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files stay open, as a kill leaves them
@pytest.mark.parametrize(
    ("change", "after"),
    [
        (lambda models: promote(models, THIRD, "better", now_ms=9), THIRD),
        (lambda models: roll_back(models, "worse", 9, everything), FIRST),
        (lambda models: take_back(models, champion_reign(models), "worse", 9, everything), FIRST),
    ],
)
def test_killed_before_any_line_there_is_one_champion_and_the_next_change_works(
    models: Path, change: Callable[[Path], object], after: str
) -> None:
    seen = set()
    promote(models, FIRST, "", now_ms=1)
    promote(models, SECOND, "", now_ms=2)
    second = (models / POINTER).read_bytes()
    for line in range(1, 1_000):
        (models / POINTER).write_bytes(second)
        own_trace = sys.gettrace()
        sys.settrace(KilledAtLine(line))
        try:
            change(models)
            whole = True
        except Killed:
            whole = False
        finally:
            sys.settrace(own_trace)
        champion = champion_of(models)
        assert champion in {SECOND, after}
        seen.add(champion)
        if whole:
            break
        promote(models, FIRST, "next", now_ms=10)
        assert champion_of(models) == FIRST
    assert whole
    assert line > 20
    assert seen == {SECOND, after}
    assert champion_of(models) == after
