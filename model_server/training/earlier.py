"""An earlier version that is as good as a new one would be: `riverrun train --reuse`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from app.errors import ModelVersionError
from model_server.registry.folders import finished_versions
from model_server.registry.load import load_version
from model_server.registry.version import ModelVersion


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """What makes an earlier version as good as a new one: data, what was held out, text encoder, privacy."""

    sha256: str
    held_out_events: int
    text_encoder: str
    epsilon: float | None = None
    delta: float | None = None


def trained_before(
    models_dir: Path, wanted: TrainedOn, device: torch.device, say: Callable[[str], object]
) -> ModelVersion | None:
    """The newest whole version that was trained on exactly this; says which damaged ones it passed over."""
    for folder in reversed(finished_versions(models_dir)):
        try:
            version = load_version(folder, device)
        except ModelVersionError as error:
            say(f"Passed over: {error.what}")
            continue
        data, text_encoder = version.model.data, version.model.text_encoder
        privacy = (data.options.get("epsilon"), data.options.get("delta"))
        if TrainedOn(data.sha256, data.held_out_events, text_encoder, *privacy) == wanted:
            return version
    return None
