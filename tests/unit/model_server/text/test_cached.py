"""No text is encoded twice, by whatever process; another encoder's vectors are never taken for one's own."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.errors import DataError
from model_server.text.cached import CachedTextEncoder
from model_server.text.encoder import TextEncoder
from model_server.text.store import ENDS, EmbeddingStore, text_key
from tests.support.model import TEXT_DIMENSION, HashEncoder


def cached(encoder: HashEncoder, path: Path) -> CachedTextEncoder:
    return CachedTextEncoder(encoder.fingerprint, TEXT_DIMENSION, lambda: encoder, EmbeddingStore(path))


def test_only_changed_texts_are_encoded_again(tmp_path: Path) -> None:
    first, second = HashEncoder(), HashEncoder()
    cached(first, tmp_path / "e.sqlite").encode(["tea", "cup"])
    vectors = cached(second, tmp_path / "e.sqlite").encode(["tea", "pot", "cup"])
    assert second.encoded == ["pot"]
    assert np.allclose(vectors, HashEncoder().encode(["tea", "pot", "cup"]))
    assert vectors.dtype == np.float32


def test_a_text_that_comes_twice_is_encoded_once(tmp_path: Path) -> None:
    encoder = HashEncoder()
    vectors = cached(encoder, tmp_path / "e.sqlite").encode(["tea", "tea"])
    assert encoder.encoded == ["tea"]
    assert np.array_equal(vectors[0], vectors[1])


def test_another_encoder_has_vectors_of_its_own(tmp_path: Path) -> None:
    one, other = HashEncoder("hash-1"), HashEncoder("hash-2")
    of_one = cached(one, tmp_path / "e.sqlite").encode(["tea"])
    of_other = cached(other, tmp_path / "e.sqlite").encode(["tea"])
    assert other.encoded == ["tea"]
    assert not np.allclose(of_one, of_other)


def test_weights_are_not_loaded_when_everything_is_known(tmp_path: Path) -> None:
    cached(HashEncoder(), tmp_path / "e.sqlite").encode(["tea"])

    def load() -> TextEncoder:
        raise AssertionError("loaded")

    known = CachedTextEncoder("hash-1", TEXT_DIMENSION, load, EmbeddingStore(tmp_path / "e.sqlite"))
    assert known.encode(["tea"]).shape == (1, TEXT_DIMENSION)
    assert known.encode([]).shape == (0, TEXT_DIMENSION)


def test_progress_counts_what_had_to_be_encoded(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    texts = [f"thing {number}" for number in range(300)]
    cached(HashEncoder(), tmp_path / "e.sqlite").encode(texts, lambda done, total: heard.append((done, total)))
    assert heard == [(256, 300), (300, 300)]


def test_many_writers_share_one_file(tmp_path: Path) -> None:
    def work(number: int) -> None:
        cached(HashEncoder(), tmp_path / "e.sqlite").encode([f"thing {number + step}" for step in range(20)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    encoder = HashEncoder()
    cached(encoder, tmp_path / "e.sqlite").encode([f"thing {number}" for number in range(43)])
    assert encoder.encoded == []


def test_a_catalogue_that_is_a_little_too_large_is_mostly_found(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "e.sqlite", max_rows=50, seed=1)
    keys = [text_key("x", str(number)) for number in range(60)]
    for _ in range(3):  # as servers start: what is not there is encoded, in the catalogue's order
        for start in range(0, len(keys), 8):
            part = keys[start : start + 8]
            known = store.read(part)
            store.write({key: np.ones(2, dtype=np.float32) for key in part if key not in known})
            assert len(store.read(keys)) <= 50
    assert len(store.read(keys)) == 50
    assert len(EmbeddingStore(tmp_path / "e.sqlite", max_rows=50).read(keys)) == 50


def test_a_file_whose_rows_were_never_counted_keeps_its_bound(tmp_path: Path) -> None:
    path, keys = tmp_path / "e.sqlite", [text_key("x", str(number)) for number in range(20)]
    EmbeddingStore(path).write({key: np.ones(2, dtype=np.float32) for key in keys[:10]})
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 0")  # as an earlier riverrun left it
    connection.close()
    store = EmbeddingStore(path, max_rows=5)
    store.write({keys[10]: np.ones(2, dtype=np.float32)})
    assert len(store.read(keys)) == 5


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(DataError, match="delete the file"):
        EmbeddingStore(path).read([b"key"])


def test_making_room_reads_no_whole_index(tmp_path: Path) -> None:
    EmbeddingStore(tmp_path / "e.sqlite").write({b"key": np.ones(2, dtype=np.float32)})
    with sqlite3.connect(tmp_path / "e.sqlite") as connection:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {ENDS}")]
    connection.close()
    assert not any("SCAN embeddings" in step for step in steps)
