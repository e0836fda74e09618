"""A version folder: the same numbers back, and no damage goes unnoticed."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.data.popularity import Popularity
from app.errors import ModelVersionError
from app.interests.state import Kind
from model_server.counts.covisitation import CountedPairs, CoVisitationOptions
from model_server.counts.neighbours import NeighbourTable, Reading
from model_server.hybrid.blend import BlendWeights
from model_server.hybrid.parts import BlendGain, HybridParts, network_alone
from model_server.model.members import Members
from model_server.model.network import COLD, SequenceNetwork
from model_server.model.sequences import sequence_batch
from model_server.registry.counts import COUNTS, save_counts
from model_server.registry.folders import latest_version
from model_server.registry.load import FILES, load_fitting, load_version
from model_server.registry.save import CHECKSUMS, save_version, version_name
from model_server.registry.version import TrainedModel, TrainingData
from model_server.text.pretrained import FINGERPRINT
from model_server.text.tuned import WEIGHTS
from tests.support.model import HashEncoder, did, tiny_config, tiny_network
from tests.support.states import touches
from tests.support.tuned import a_tuned_encoder

CPU = torch.device("cpu")
NOW_MS = 1_795_352_701_000


def a_table() -> NeighbourTable:
    """Of six items: the first one has two neighbours, the fourth has one."""
    return NeighbourTable(
        np.array([0, 2, 2, 2, 3, 3, 3]), np.array([1, 3, 0], np.int32), np.array([0.5, 1.5, 2.0], np.float32)
    )


def a_model(seed: int = 1) -> TrainedModel:
    item_ids = tuple(f"item-{index}" for index in range(6))
    return TrainedModel(
        network=tiny_network(seed),
        text_encoder="hash-1",
        item_ids=item_ids,
        texts=HashEncoder().encode(item_ids),
        popularity=Popularity(reference_ts_ms=99, half_life_days=14, weights={"item-1": 2.5}),
        hybrid=HybridParts(
            covisitation=CountedPairs(a_table(), np.array([3.0, 1.0, 0.0, 1.0, 0.0, 0.0]), reference_ts_ms=99),
            options=CoVisitationOptions(neighbours=2),
            neighbours=a_table(),
            reading=Reading(recency=0.9, length=50),
            weights=BlendWeights(covisitation=0.4, neighbours=0.2),
            gain=BlendGain(users=7, blended_ndcg10=0.1),
        ),
        data=TrainingData(
            name="planted",
            sha256="abc",
            events=10,
            users=3,
            items=6,
            first_ts_ms=1,
            last_ts_ms=99,
            held_out_events=4,
        ),
        metrics={"validation_ndcg10": 0.25},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_version(tmp_path / "models", a_model(), NOW_MS)


def test_loading_gives_what_was_saved(folder: Path) -> None:
    saved, loaded = a_model(), load_version(folder, CPU)
    assert loaded.name == folder.name
    model = loaded.model
    assert (model.item_ids, model.popularity, model.data) == (saved.item_ids, saved.popularity, saved.data)
    assert (model.metrics, model.text_encoder) == (saved.metrics, saved.text_encoder)
    assert np.array_equal(model.texts, saved.texts)
    was, came = saved.hybrid, model.hybrid
    assert (came.options, came.reading, came.weights, came.gain) == (was.options, was.reading, was.weights, was.gain)
    assert came.covisitation.reference_ts_ms == was.covisitation.reference_ts_ms
    assert np.array_equal(came.covisitation.counts, was.covisitation.counts)
    for mine, theirs in ((came.neighbours, was.neighbours), (came.covisitation.pairs, was.covisitation.pairs)):
        assert np.array_equal(mine.matrix().toarray(), theirs.matrix().toarray())
    batch = sequence_batch(touches([did("item-1", "item-4")], {"item-1": 1, "item-4": 4}), {Kind.RATE}, 10)
    users = []
    for each in (saved, model):
        vectors = each.network.item_vectors(torch.arange(6), torch.from_numpy(each.texts))
        users.append(each.network.scores(each.network.encode_users(batch, vectors).users, vectors))
    assert torch.equal(users[0], users[1])
    assert not model.network.training


def test_members_come_back_as_members(tmp_path: Path) -> None:
    network = Members([tiny_network(seed) for seed in (1, 2)]).eval()
    loaded = load_version(save_version(tmp_path, replace(a_model(), network=network), NOW_MS), CPU).model.network
    assert loaded.config == network.config
    weights = loaded.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in network.state_dict().items())


def test_a_network_that_reads_no_texts_comes_back_as_one(tmp_path: Path) -> None:
    network = tiny_network(config=tiny_config(text_dimension=0))
    model = replace(a_model(), network=network)
    loaded = load_version(save_version(tmp_path, model, now_ms=0), torch.device("cpu")).model
    assert isinstance(loaded.network, SequenceNetwork)
    assert loaded.network.text_projection is None
    rows = torch.tensor([0, 1, COLD])
    wanted, got = (each.item_vectors(rows, torch.ones(3, 8)) for each in (network, loaded.network))
    assert torch.equal(got, wanted)


def test_the_name_is_the_time_and_the_content(folder: Path, tmp_path: Path) -> None:
    again = save_version(tmp_path / "again", a_model(), NOW_MS)
    other = save_version(tmp_path / "again", a_model(seed=2), NOW_MS)
    assert folder.name.startswith("20261122-")
    assert again.name == folder.name
    assert other.name != folder.name


def test_saving_the_same_twice_is_saving_it_once(folder: Path) -> None:
    assert save_version(folder.parent, a_model(), NOW_MS) == folder
    assert load_version(folder, CPU).name == folder.name


def test_the_newest_finished_version_is_the_latest(folder: Path) -> None:
    newer = save_version(folder.parent, a_model(), NOW_MS + 5_000)
    (folder.parent / "99999999-notaversion").mkdir()
    assert latest_version(folder.parent) == newer


def test_without_versions_there_is_no_latest(tmp_path: Path) -> None:
    assert latest_version(tmp_path) is None
    assert latest_version(tmp_path / "nowhere") is None


def test_what_a_killed_save_left_is_no_version_and_goes_at_the_next_save(tmp_path: Path) -> None:
    leftover = tmp_path / ".incomplete"
    leftover.mkdir()
    (leftover / "model.safetensors").write_bytes(b"half")
    assert latest_version(tmp_path) is None
    save_version(tmp_path, a_model(), NOW_MS)
    assert not leftover.exists()


def test_a_save_that_fails_leaves_nothing(tmp_path: Path) -> None:
    broken = a_model()
    broken.metrics["not JSON"] = object()  # type: ignore[assignment]  # that is the point
    with pytest.raises(TypeError):
        save_version(tmp_path, broken, NOW_MS)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("name", [*FILES, CHECKSUMS])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelVersionError, match=name):
        load_version(folder, CPU)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(ModelVersionError, match=rf"{name} is truncated or was changed"):
        load_version(folder, CPU)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelVersionError, match=rf"{name} is truncated or was changed"):
        load_version(folder, CPU)


def test_changed_checksums_are_refused(folder: Path) -> None:
    content = json.loads((folder / CHECKSUMS).read_bytes())
    content["items.json"] = "0" * 64
    (folder / CHECKSUMS).write_text(json.dumps(content))
    with pytest.raises(ModelVersionError, match="not what the version's name vouches for"):
        load_version(folder, CPU)


def test_a_version_is_readable_for_other_accounts_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        folder = save_version(tmp_path, a_model(), NOW_MS)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = a_model()
    with torch.no_grad():
        next(iter(model.network.parameters()))[0] = float("nan")
    folder = save_version(tmp_path, model, NOW_MS)
    with pytest.raises(ModelVersionError, match="no numbers"):
        load_version(folder, CPU)


def test_a_folder_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelVersionError, match="Run `riverrun train`"):
        load_version(tmp_path / "20260101-000000-abcdef", CPU)


def resealed(folder: Path, change: Callable[[Path], None]) -> Path:
    """The folder with something changed and every checksum made right again, as a careless tool would."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    change(copy)
    from app.files import sha256_of  # noqa: PLC0415 - only here

    sums = json.dumps({name: sha256_of(copy / name) for name in FILES}).encode()
    (copy / CHECKSUMS).write_bytes(sums)
    return copy.rename(folder.parent / version_name(sums, NOW_MS))


def edited_config(key: str, value: object) -> Callable[[Path], None]:
    def change(copy: Path) -> None:
        config = json.loads((copy / "config.json").read_bytes())
        (config["network"] if key in config["network"] else config)[key] = value
        (copy / "config.json").write_text(json.dumps(config))

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (edited_config("hidden", 25), "does not fit its config.json"),
        (edited_config("items", 7), "does not fit together"),
        (edited_config("text_dimension", 9), "does not fit together"),
        (edited_config("schema_version", 99), "schema version 99"),
        (edited_config("hidden", "many"), "config.json cannot be read"),
        (lambda copy: (copy / "items.json").write_text('["only one"]'), "does not fit together"),
        (lambda copy: (copy / "model.safetensors").write_bytes(b"\x80\x04pickle"), "model.safetensors cannot be read"),
        (
            lambda copy: shutil.copy(copy / "texts.safetensors", copy / "model.safetensors"),
            "does not fit its config.json",
        ),
        (lambda copy: shutil.copy(copy / "model.safetensors", copy / "texts.safetensors"), "wanted float32 'texts'"),
        (lambda copy: shutil.copy(copy / "texts.safetensors", copy / COUNTS), "counts.safetensors cannot be read"),
        (lambda copy: save_counts(network_alone(5), copy / COUNTS), "is not one of 6 items"),
        (lambda copy: (copy / "hybrid.json").write_text('{"weights": {"magic": 1}}'), "hybrid.json cannot be read"),
    ],
)
def test_parts_that_do_not_fit_are_refused(folder: Path, change: Callable[[Path], None], reason: str) -> None:
    with pytest.raises(ModelVersionError, match=reason):
        load_version(resealed(folder, change), CPU)


def test_a_version_brings_its_fine_tuned_encoder(tmp_path: Path) -> None:
    tuned = a_tuned_encoder()
    model = replace(a_model(), tuned=tuned, text_encoder=tuned.fingerprint)
    folder = save_version(tmp_path, model, NOW_MS)
    loaded = load_fitting(folder, CPU, FINGERPRINT).model
    assert loaded.tuned is not None
    assert loaded.tuned.fingerprint == loaded.text_encoder == tuned.fingerprint
    with pytest.raises(ModelVersionError, match="this riverrun has another"):
        load_fitting(folder, CPU, "another")
    (folder / WEIGHTS).write_bytes(b"changed")
    with pytest.raises(ModelVersionError, match="its sha256 differs"):
        load_version(folder, CPU)


def test_a_version_with_the_vectors_of_another_encoder_is_refused(tmp_path: Path) -> None:
    model = replace(a_model(), tuned=a_tuned_encoder(), text_encoder=a_tuned_encoder(scale=2.0).fingerprint)
    with pytest.raises(ModelVersionError, match=r"reads texts of the encoder .* and brings"):
        load_version(save_version(tmp_path, model, NOW_MS), CPU)
