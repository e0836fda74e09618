"""Write a model version: into a temporary folder, checksums last, then one rename."""

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import torch
from safetensors.torch import save_file

from app.files import exclusive, sha256_of, sync_folder
from model_server.ranking.files import save_ranker
from model_server.registry.card import model_card
from model_server.registry.counts import COUNTS, description_of, save_counts
from model_server.registry.folders import LOCK
from model_server.registry.version import TrainedModel, VersionConfig
from model_server.text.tuned import write_tuned

CHECKSUMS = "checksums.json"
REFERENCE = "drift.json"
_INCOMPLETE = ".incomplete"


def save_version(models_dir: Path, model: TrainedModel, now_ms: int) -> Path:
    """The folder of the new version. Its name is the time and the start of the sha256 of its checksums.

    A process that is killed meanwhile leaves nothing that `finished_versions` would find; the next save clears it up.
    """
    with exclusive(models_dir / LOCK):
        scratch = models_dir / _INCOMPLETE
        if scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir()
        scratch.chmod(0o755)  # whatever the umask: another account may serve it
        try:
            _write_contents(scratch, model)
            checksums = {path.name: sha256_of(path) for path in sorted(scratch.iterdir())}
            (scratch / CHECKSUMS).write_bytes(_json(checksums))
            for path in scratch.iterdir():
                path.chmod(0o644)  # safetensors writes for its owner only
            sync_folder(scratch)
            folder = models_dir / version_name((scratch / CHECKSUMS).read_bytes(), now_ms)
            if not folder.exists():  # the same model, saved within the same second: it is there already
                scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        sync_folder(models_dir)
    return folder


def version_name(checksums: bytes, now_ms: int) -> str:
    """For example `20261122-130501-ab12cd`: UTC, then the first six digits of the checksums' own sha256."""
    moment = datetime.fromtimestamp(now_ms // 1_000, tz=UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{hashlib.sha256(checksums).hexdigest()[:6]}"


def _write_contents(folder: Path, model: TrainedModel) -> None:
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    save_file({"texts": torch.from_numpy(model.texts)}, folder / "texts.safetensors")
    save_counts(model.hybrid, folder / COUNTS)
    if model.ranker is not None:
        save_ranker(folder, model.ranker)
    if model.tuned is not None:
        write_tuned(folder, model.tuned)
    config = VersionConfig(network=model.network.config, text_encoder=model.text_encoder)
    contents: dict[str, object] = {
        "config.json": config,
        "items.json": model.item_ids,
        "popularity.json": model.popularity,
        "hybrid.json": description_of(model.hybrid),
        "data.json": model.data,
        "metrics.json": model.metrics,
    }
    if model.reference is not None:
        contents[REFERENCE] = model.reference
    for name, content in contents.items():
        (folder / name).write_bytes(_json(content))
    (folder / "MODEL_CARD.md").write_text(model_card(model), encoding="utf-8")


def _json(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=1)
