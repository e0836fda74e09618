"""What a challenger was found to be: `<models_dir>/<version>.judged.json`, beside the version, which never changes."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from app.errors import ModelVersionError
from app.files import exclusive, replace_file
from model_server.registry.folders import LOCK, finished_versions

_ENDING: Final = ".judged.json"
_REMOVED: Final = ".removed"


class Judgement(Struct, frozen=True, kw_only=True):
    """One decision.

    Args:
        version: of whom.
        champion: with whom it was compared.
        at_ms: when, ms since 1970.
        promoted: whether it was found better.
        why: in words.
        figures: what was measured, as JSON.
    """

    version: str
    champion: str
    at_ms: int
    promoted: bool
    why: str
    figures: msgspec.Raw


def write_judgement(models_dir: Path, judgement: Judgement) -> None:
    """Keep it, in place of an earlier one."""
    with exclusive(models_dir / LOCK):
        content = msgspec.json.format(msgspec.json.encode(judgement), indent=1) + b"\n"
        replace_file(models_dir / f"{judgement.version}{_ENDING}", content)


def read_judgement(folder: Path) -> Judgement | None:
    """Of the version in this folder; None where it was never judged.

    Raises:
        ModelVersionError: it cannot be read.
    """
    path = folder.with_name(f"{folder.name}{_ENDING}")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Judgement)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ModelVersionError(f"{path} cannot be read: {error}.", hint="Remove it.") from error


def remove_versions(models_dir: Path, names: Collection[str]) -> None:
    """Remove these versions and what was found of them. A version is there whole or not at all, also meanwhile."""
    scratch = models_dir / _REMOVED
    with exclusive(models_dir / LOCK):
        shutil.rmtree(scratch, ignore_errors=True)  # of somebody who was killed
        for folder in finished_versions(models_dir):
            if folder.name in names:
                (models_dir / f"{folder.name}{_ENDING}").unlink(missing_ok=True)
                folder.rename(scratch)
                shutil.rmtree(scratch)
