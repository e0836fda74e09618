"""A fine-tuned encoder's folder: the same weights back, no damage unnoticed, and no text read by the wrong encoder."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from msgspec import structs

from app.errors import DataError, ModelVersionError, SettingsError
from model_server.text import minilm, pretrained
from model_server.text.pretrained import FINGERPRINT, load_minilm, open_text_encoder, text_encoders
from model_server.text.tuned import (
    DESCRIPTION,
    WEIGHTS,
    Measured,
    TunedEncoder,
    check_kept_away,
    read_tuned,
    save_tuned,
)
from tests.support.model import dataset_of, interactions_of
from tests.support.tiny_bert import write_tiny_bert
from tests.support.tuned import NOW_MS, a_tuned_encoder, findings, measured

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tuned(tmp_path / "encoders", a_tuned_encoder(), NOW_MS)


def test_reading_gives_what_was_saved(folder: Path) -> None:
    saved, read = a_tuned_encoder(), read_tuned(folder)
    assert (read.base, read.findings, read.fingerprint) == (saved.base, saved.findings, saved.fingerprint)
    assert all(torch.equal(read.weights[name], weight) for name, weight in saved.weights.items())
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]  # no scratch stays


def test_other_weights_are_another_encoder() -> None:
    one, other = a_tuned_encoder(), a_tuned_encoder(scale=2.0)
    assert len({FINGERPRINT, one.fingerprint, other.fingerprint}) == 3


def test_where_it_does_not_help_it_is_the_pretrained_encoder(tmp_path: Path) -> None:
    tuned = TunedEncoder(FINGERPRINT, {}, findings(measured(low=-0.01), measured(low=-0.02)))
    read = read_tuned(save_tuned(tmp_path, tuned, NOW_MS))
    assert not read.findings.helps
    assert read.fingerprint == FINGERPRINT
    encoder_of = text_encoders(tmp_path, CPU, print)
    assert encoder_of(read) is encoder_of(None)


def test_versions_that_read_the_same_vectors_share_an_encoder(tmp_path: Path) -> None:
    encoder_of = text_encoders(tmp_path, CPU, print)
    one = encoder_of(a_tuned_encoder())
    assert one.fingerprint == a_tuned_encoder().fingerprint
    assert encoder_of(a_tuned_encoder()) is one
    assert encoder_of(None) is not one
    assert encoder_of(a_tuned_encoder(scale=2.0)) is not one


@pytest.mark.parametrize(
    ("queries", "cold", "helps"),
    [
        (measured(low=0.01, high=0.05), measured(low=-0.01, high=0.01), True),
        (measured(low=-0.01, high=0.01), measured(low=0.01, high=0.05), True),
        (measured(low=-0.01, high=0.01), measured(low=-0.01, high=0.01), False),
        (measured(low=0.01, high=0.05), measured(low=-0.05, high=-0.01), False),
        (measured(low=0.01, high=0.05, items=29), measured(low=-0.01, high=0.01), False),
        (measured(low=-4e-18, high=-4e-18), measured(low=0.01, high=0.05), True),
        (measured(low=4e-18, high=4e-18), measured(low=-0.01, high=0.01), False),
    ],
)
def test_it_helps_when_one_thing_is_surely_better_and_none_surely_worse(
    queries: Measured, cold: Measured, helps: bool
) -> None:
    assert findings(queries, cold).helps is helps
    assert not findings(queries, cold, best_round=0).helps


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (WEIGHTS, b"cut", "truncated or was changed"),
        (WEIGHTS, b"", "truncated or was changed"),
        (WEIGHTS, None, "holds no fine-tuned encoder"),
        (DESCRIPTION, b"{}", "holds no fine-tuned encoder"),
        (DESCRIPTION, None, "holds no fine-tuned encoder"),
    ],
)
def test_what_is_damaged_is_refused(folder: Path, name: str, content: bytes | None, reason: str) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelVersionError, match=reason):
        read_tuned(folder)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    folder = save_tuned(tmp_path, a_tuned_encoder(scale=float("nan")), NOW_MS)
    with pytest.raises(ModelVersionError, match="no numbers"):
        read_tuned(folder)


def test_layers_of_another_encoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelVersionError, match="was fine-tuned, this riverrun has"):
        open_text_encoder(tmp_path, CPU, print, a_tuned_encoder(base="another"))


def test_layers_that_do_not_fit_are_the_versions_fault_and_anything_else_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny", ["tea"])
    monkeypatch.setattr(pretrained, "fetch", lambda *_: tiny)
    misfits = a_tuned_encoder().weights
    with pytest.raises(ModelVersionError, match="do not fit"):
        load_minilm(tmp_path, CPU, print, "f", misfits)

    def no_memory(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")  # torch's words

    monkeypatch.setattr(minilm, "pretrained_bert", no_memory)
    for weights in ({}, misfits):
        with pytest.raises(DataError, match="cannot be loaded: CUDA out of memory"):
            load_minilm(tmp_path, CPU, print, "f", weights)


def test_an_encoder_that_saw_what_is_held_out_is_refused() -> None:
    tuned = a_tuned_encoder()  # four events of "abc" were kept away
    log = interactions_of([(0, 0, ts_ms) for ts_ms in range(5)], users=1, items=1)
    same, other = (replace(dataset_of(log), name="planted", fingerprint=sha) for sha in ("abc", "read otherwise"))
    newest = [log.take(slice(5 - count, None)) for count in range(6)]
    check_kept_away(tuned, same, newest[4])
    check_kept_away(tuned, other, newest[5])
    check_kept_away(replace(tuned, weights={}), same, newest[5])
    with pytest.raises(SettingsError, match="on events that are to be held out: 4 were kept away from it, not these 5"):
        check_kept_away(tuned, same, newest[5])
    learned = replace(tuned, findings=structs.replace(tuned.findings, last_ts_ms=3))
    check_kept_away(learned, other, newest[2])
    check_kept_away(learned, replace(other, name="another shop"), newest[5])
    with pytest.raises(SettingsError, match="to be held out"):
        check_kept_away(learned, other, newest[3])
