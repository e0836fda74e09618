"""The version that a process takes when it starts."""

import logging
from collections.abc import Callable
from pathlib import Path

from app.errors import ModelVersionError
from model_server.registry.champion import Reign, read_succession
from model_server.registry.folders import latest_version
from model_server.registry.version import ModelVersion

logger = logging.getLogger(__name__)

Load = Callable[[Path], ModelVersion]
"""Reads a version's folder; raises ModelVersionError."""


def find_version(models_dir: Path, name: str | None, load: Load) -> ModelVersion:
    """The named version; else the champion, or the newest loadable champion before it; else the newest version.

    Raises:
        ModelVersionError: there is none, or it cannot be loaded.
    """
    succession = None if name is not None else read_succession(models_dir)
    if succession is not None:
        return _first_loadable(models_dir, (succession.champion, *succession.before), load)
    folder = latest_version(models_dir) if name is None else models_dir / name
    if folder is None:
        raise ModelVersionError(f"There is no model version in {models_dir}.", hint="Run `riverrun train`.")
    return load(folder)


def _first_loadable(models_dir: Path, reigns: tuple[Reign, ...], load: Load) -> ModelVersion:
    first: ModelVersionError | None = None
    for reign in reigns:
        try:
            return load(models_dir / reign.version)
        except ModelVersionError as error:
            logger.error("Version %s is not served: %s", reign.version, error)
            first = first or error
    raise first or ModelVersionError(f"{models_dir} has no champion.")
