import json
import struct
from pathlib import Path

import pytest

from app.bench.contestants import Interaction, faust_per_event, kafka_streams, peers_folder, quix_streams, riverrun
from app.bench.java_peer import JavaPeer, find_javac, java_peer
from app.interests.state import Interaction as StateInteraction
from app.interests.state import Kind, StateCause, UserState, encode_state

HISTORY = [Interaction("item-1", "view", 5), Interaction("überraschung", "add_to_cart", 7)]


def java_bytes(history: list[Interaction]) -> bytes:
    """As KafkaStreamsFold.java writes it."""
    written = b""
    for each in history:
        for text in (each.item_id.encode(), each.kind.encode()):
            written += struct.pack(">h", len(text)) + text
        written += struct.pack(">q", each.ts_ms)
    return written


def test_every_contestant_s_output_reads_as_the_same_list() -> None:
    rows = json.dumps([[each.item_id, each.kind, each.ts_ms] for each in HISTORY]).encode()
    interactions = [StateInteraction("item-1", Kind.VIEW, 5), StateInteraction("überraschung", Kind.ADD_TO_CART, 7)]
    state = UserState.of(41, StateCause("e", "view", 7, 8), interactions)

    assert riverrun().read(encode_state(state)) == HISTORY
    assert quix_streams().read(rows) == HISTORY
    assert faust_per_event().read(rows) == HISTORY
    assert kafka_streams(JavaPeer(("java",))).read(java_bytes(HISTORY)) == HISTORY


def test_what_riverrun_has_covered_stands_in_its_state() -> None:
    state = UserState.of(41, StateCause("e", "view", 7, 8))

    assert riverrun().covered(3, encode_state(state)) == 42
    assert quix_streams().covered(3, b"[]") == 4


def test_the_peers_programs_are_there() -> None:
    for name in ("KafkaStreamsFold.java", "quix_fold.py", "faust_per_event.py"):
        assert (peers_folder() / name).exists()


def test_without_a_jdk_there_is_no_java_peer(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path)}

    assert find_javac(nowhere) is None
    assert java_peer(tmp_path / "Any.java", tmp_path, tmp_path, pytest.fail, nowhere) is None


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    for folder in ("home", "path"):
        (tmp_path / folder / "bin").mkdir(parents=True)
        compiler = tmp_path / folder / "bin" / "javac"
        compiler.touch()
        compiler.chmod(0o755)
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path" / "bin")}

    assert find_javac(environment) == tmp_path / "home" / "bin" / "javac"
    assert find_javac({"PATH": environment["PATH"]}) == tmp_path / "path" / "bin" / "javac"
