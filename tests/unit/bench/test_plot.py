from pathlib import Path

import pytest

from app.bench.plot import digest_of, draw
from app.bench.recorded import Setting, record
from app.bench.suite import benches
from app.errors import RiverrunError
from app.files import sha256_of
from tests.support.bench_figures import made_up

SETTING = Setting("2026-11-22", "a machine", {})


def recorded(folder: Path, count: int) -> Path:
    path = folder / "recorded.json"
    record(path, benches()[:count], SETTING, lambda name, _options: made_up()[name], lambda _line: None)
    return path


def test_a_picture_says_which_record_it_is_of_and_is_the_same_each_time(tmp_path: Path) -> None:
    record_path = recorded(tmp_path, 2)

    for name in ("one.svg", "two.svg"):
        draw(record_path, tmp_path / name)

    picture = (tmp_path / "one.svg").read_text()
    assert picture == (tmp_path / "two.svg").read_text()
    assert digest_of(picture) == sha256_of(record_path)
    assert "Quix Streams" in picture
    assert "bare echo, p99" in picture


def test_there_is_no_picture_of_half_a_record(tmp_path: Path) -> None:
    with pytest.raises(RiverrunError, match="lacks ingest or freshness"):
        draw(recorded(tmp_path, 1), tmp_path / "picture.svg")
