"""A fine-tuned text encoder: the layers that were changed, as two files in a folder of its own or of a version.

encoder.json          which encoder it was made of, what fine-tuning found, sha256 of the weights
encoder.safetensors   the changed weights; not there where the pretrained ones are better
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from app.data.interactions import Dataset, Interactions
from app.errors import ModelVersionError, SettingsError
from app.files import sync_folder

DESCRIPTION: Final = "encoder.json"
ENOUGH_ITEMS: Final = 30
"""Held-out items, of which fewer say nothing of other items: intervals by the bootstrap are then too narrow."""
WEIGHTS: Final = "encoder.safetensors"
_ROUNDING: Final = 1e-9  # of the bounds of an interval
_HINT: Final = "Fine-tune again (`riverrun train encoder`) or copy the whole folder again."


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Pretrained and fine-tuned on the same validation cases, none of which chose anything.

    Args:
        cases: how many.
        items: how many held-out items they are about; 0 where it was not counted.
        pretrained_hr10, tuned_hr10: HR@10.
        pretrained_ndcg10, tuned_ndcg10: NDCG@10.
        low, high: of the gain in NDCG@10, 95 %, over other items and other people.
    """

    cases: int
    pretrained_hr10: float
    tuned_hr10: float
    pretrained_ndcg10: float
    tuned_ndcg10: float
    low: float
    high: float
    items: int = 0


class TuningFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What a fine-tuning found.

    Args:
        data: the data set.
        sha256: of its source files.
        held_out_events: its newest events, which were kept away.
        last_ts_ms: the newest event that was learned from.
        queries: finding items by what they are asked for.
        cold: finding held-out items for the people who took them.
        rounds, best_round: that were run, and the best; 0: none was better than the pretrained encoder.
        seconds: it took.
        options: by name.
    """

    data: str
    sha256: str
    held_out_events: int
    last_ts_ms: int = 0
    queries: Measured
    cold: Measured
    rounds: int
    best_round: int
    seconds: float
    options: dict[str, int | float]

    @property
    def tells(self) -> bool:
        """Whether enough held-out items were asked for to tell anything."""
        return all(part.items >= ENOUGH_ITEMS for part in (self.queries, self.cold))

    @property
    def helps(self) -> bool:
        """Better in one thing with an interval that excludes 0, not so much worse in the other, on enough items."""
        parts = (self.queries, self.cold)
        return (
            self.best_round > 0
            and self.tells
            and any(part.low > _ROUNDING for part in parts)
            and all(part.high >= -_ROUNDING for part in parts)
        )


class _Description(msgspec.Struct, frozen=True, kw_only=True):
    base: str
    weights: str  # sha256; empty where there are none
    findings: TuningFindings


@dataclass(frozen=True, slots=True, eq=False)
class TunedEncoder:
    """See the module.

    Args:
        base: fingerprint of the encoder that was fine-tuned.
        weights: the changed ones by name; empty where the pretrained ones are better.
        findings: what it is worth.
    """

    base: str
    weights: Mapping[str, Tensor]
    findings: TuningFindings

    @property
    def fingerprint(self) -> str:
        """See `TextEncoder.fingerprint`: other weights, other vectors."""
        return f"{self.base}+{_digest(save(dict(self.weights)))[:16]}" if self.weights else self.base


def check_kept_away(tuned: TunedEncoder, dataset: Dataset, held_out: Interactions) -> None:
    """The encoder must not have learned from events that are held out.

    Args:
        tuned: the encoder.
        dataset: which one; another one holds out other events.
        held_out: its newest events, which nothing may learn from.

    Raises:
        SettingsError: it has.
    """
    found = tuned.findings
    if not tuned.weights or not len(held_out):
        return
    # The same source read otherwise (another --map, fewer events) has another fingerprint, and the same clock.
    later = found.data == dataset.name and found.last_ts_ms > int(held_out.ts_ms[0])
    if later or (found.sha256 == dataset.fingerprint and found.held_out_events < len(held_out)):
        raise SettingsError(
            f"The encoder was fine-tuned on events that are to be held out: {found.held_out_events:,} were kept away "
            f"from it, not these {len(held_out):,}.",
            hint="Fine-tune with the same --holdout-events.",
        )


def save_tuned(encoders_dir: Path, tuned: TunedEncoder, now_ms: int) -> Path:
    """A new folder with it, there whole or not at all, named by the time and the sha256 of its description."""
    encoders_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=encoders_dir) as place:
        scratch = Path(place) / "encoder"
        scratch.mkdir(mode=0o755)
        write_tuned(scratch, tuned)
        sync_folder(scratch)
        moment = datetime.fromtimestamp(now_ms // 1_000, tz=UTC)
        folder = encoders_dir / f"{moment:%Y%m%d-%H%M%S}-{_digest((scratch / DESCRIPTION).read_bytes())[:6]}"
        if not folder.exists():  # the same one, saved within the same second
            scratch.rename(folder)
    sync_folder(encoders_dir)
    return folder


def write_tuned(folder: Path, tuned: TunedEncoder) -> None:
    """Its files, into a folder that is there."""
    content = save(dict(tuned.weights)) if tuned.weights else b""
    if content:
        (folder / WEIGHTS).write_bytes(content)
    description = _Description(base=tuned.base, weights=_digest(content) if content else "", findings=tuned.findings)
    (folder / DESCRIPTION).write_bytes(msgspec.json.format(msgspec.json.encode(description), indent=1))


def read_tuned(folder: Path) -> TunedEncoder:
    """The fine-tuned encoder in this folder, verified.

    Raises:
        ModelVersionError: it is missing, truncated, was changed, or holds weights that are no numbers.
    """
    try:
        description = msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=_Description)
        content = (folder / WEIGHTS).read_bytes() if description.weights else b""
    except (OSError, msgspec.DecodeError) as error:
        raise ModelVersionError(f"{folder} holds no fine-tuned encoder: {error}.", hint=_HINT) from error
    if not description.weights:
        return TunedEncoder(description.base, {}, description.findings)
    if _digest(content) != description.weights:
        raise ModelVersionError(f"{folder / WEIGHTS} is truncated or was changed: its sha256 differs.", hint=_HINT)
    try:
        weights = load(content)
    except SafetensorError as error:
        raise ModelVersionError(f"{folder / WEIGHTS} cannot be read: {error}.", hint=_HINT) from error
    if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
        raise ModelVersionError(f"{folder / WEIGHTS} holds weights that are no numbers.", hint=_HINT)
    return TunedEncoder(description.base, weights, description.findings)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
