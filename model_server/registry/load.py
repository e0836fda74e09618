"""Read a model version, refusing anything that is not exactly what was written. Nothing is unpickled."""

import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from app.data.popularity import Popularity
from app.errors import ModelVersionError
from app.files import sha256_of
from model_server.drift.reference import Reference
from model_server.model.members import Network, fresh_network
from model_server.ranking.files import CONFIG as RANKER
from model_server.ranking.files import load_ranker
from model_server.registry.counts import COUNTS, HybridDescription, load_counts
from model_server.registry.folders import NAME
from model_server.registry.save import CHECKSUMS, REFERENCE
from model_server.registry.version import (
    SCHEMA_VERSION,
    ModelVersion,
    TrainedModel,
    TrainingData,
    VersionConfig,
)
from model_server.text.tuned import DESCRIPTION as ENCODER
from model_server.text.tuned import read_tuned

T = TypeVar("T")
_HINT = "Train again (`riverrun train`) or copy the whole folder again."
# Every version has these; some have a ranker's or a fine-tuned encoder's as well. Those of before 2026-11-23 have no
# reference for drift.
FILES = (
    "model.safetensors",
    "texts.safetensors",
    "config.json",
    "items.json",
    "popularity.json",
    "hybrid.json",
    COUNTS,
    "data.json",
    "metrics.json",
    "MODEL_CARD.md",
)


def load_version(folder: Path, device: torch.device) -> ModelVersion:
    """The version in this folder, verified, in evaluation mode on `device`.

    Raises:
        ModelVersionError: missing, truncated, tampered with, or its parts do not fit each other; says which.
    """
    folder = folder.resolve()
    try:
        checksums = _verify(folder)
    except OSError as error:
        raise ModelVersionError(f"{folder} cannot be read: {error}.", hint=_HINT) from error
    config = _read(folder / "config.json", VersionConfig)
    if config.schema_version != SCHEMA_VERSION:
        raise ModelVersionError(
            f"{folder} has schema version {config.schema_version}, this riverrun reads {SCHEMA_VERSION}.", hint=_HINT
        )
    tuned = read_tuned(folder) if ENCODER in checksums else None
    if tuned is not None and tuned.fingerprint != config.text_encoder:
        raise ModelVersionError(
            f"{folder} reads texts of the encoder {config.text_encoder} and brings {tuned.fingerprint}.", hint=_HINT
        )
    item_ids = _read(folder / "items.json", tuple[str, ...])
    texts = _texts(folder / "texts.safetensors")
    # A network that reads no texts keeps zeros in the encoder's width: new items may have texts.
    wanted = (config.network.items, config.network.text_dimension or texts.shape[1])
    if len(item_ids) != wanted[0] or texts.shape != wanted:
        raise ModelVersionError(
            f"{folder} does not fit together: {len(item_ids)} item ids and texts {texts.shape}, wanted {wanted}.",
            hint=_HINT,
        )
    model = TrainedModel(
        network=_network(folder / "model.safetensors", config, device),
        text_encoder=config.text_encoder,
        item_ids=item_ids,
        texts=texts,
        popularity=_read(folder / "popularity.json", Popularity),
        hybrid=load_counts(folder / COUNTS, _read(folder / "hybrid.json", HybridDescription), items=len(item_ids)),
        data=_read(folder / "data.json", TrainingData),
        metrics=_read(folder / "metrics.json", dict[str, float]),
        ranker=load_ranker(folder) if RANKER in checksums else None,
        reference=_read(folder / REFERENCE, Reference) if REFERENCE in checksums else None,
        tuned=tuned,
    )
    return ModelVersion(name=folder.name, folder=folder, model=model)


def load_fitting(folder: Path, device: torch.device, text_encoder: str) -> ModelVersion:
    """As `load_version`, of a version that reads the vectors of this text encoder, or of what became of it.

    Raises:
        ModelVersionError: also where it wants another one.
    """
    version = load_version(folder, device)
    tuned = version.model.tuned
    base = version.model.text_encoder if tuned is None else tuned.base
    if base != text_encoder:
        raise ModelVersionError(
            f"{version.folder} reads texts of the encoder {base}, this riverrun has {text_encoder}.",
            hint="Run `riverrun train`.",
        )
    return version


def _verify(folder: Path) -> dict[str, str]:
    """The folder's name vouches for the checksums, the checksums, which are returned, for the files."""
    if not folder.is_dir():
        raise ModelVersionError(f"There is no model version {folder}.", hint="Run `riverrun train`.")
    checksums_path = folder / CHECKSUMS
    if not checksums_path.is_file():
        raise ModelVersionError(f"{folder} is no finished model version: it has no {CHECKSUMS}.", hint=_HINT)
    digest = hashlib.sha256(checksums_path.read_bytes()).hexdigest()
    if not NAME.fullmatch(folder.name) or not folder.name.endswith(digest[:6]):
        raise ModelVersionError(
            f"{checksums_path} is not what the version's name vouches for (got {digest[:6]}): it was changed, "
            "or the folder renamed.",
            hint=_HINT,
        )
    checksums = _read(checksums_path, dict[str, str])
    for name in dict.fromkeys((*FILES, *checksums)):
        path = folder / name
        if name not in checksums or not path.is_file():
            raise ModelVersionError(f"{path} is missing.", hint=_HINT)
        if sha256_of(path) != checksums[name]:
            raise ModelVersionError(f"{path} is truncated or was changed: its sha256 differs.", hint=_HINT)
    return checksums


def _read(path: Path, wanted: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=wanted)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelVersionError(f"{path} cannot be read: {error}.", hint=_HINT) from error


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelVersionError(f"{path} cannot be read: {error}.", hint=_HINT) from error


def _texts(path: Path) -> NDArray[np.float32]:
    tensors = _tensors(path)
    if tensors.keys() != {"texts"} or tensors["texts"].dtype != torch.float32:
        raise ModelVersionError(f"{path} holds {sorted(tensors)}, wanted float32 'texts'.", hint=_HINT)
    texts: NDArray[np.float32] = tensors["texts"].numpy()
    return texts


def _network(path: Path, config: VersionConfig, device: torch.device) -> Network:
    network = fresh_network(config.network)
    try:
        network.load_state_dict(_tensors(path), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ModelVersionError(f"{path} does not fit its config.json: {reason}", hint=_HINT) from error
    if not all(bool(weights.isfinite().all()) for weights in network.state_dict().values()):
        # The trained and the served numbers agree, and yet nobody gets a list of it: a training that diverged.
        raise ModelVersionError(f"{path} holds weights that are no numbers.", hint="Train again (`riverrun train`).")
    return network.eval().to(device)
