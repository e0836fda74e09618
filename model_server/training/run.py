"""From a data set to a trained model: which items it knows, their texts, the network, popularity at the cut."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem, item_text
from app.data.interactions import Dataset, Interactions
from app.data.popularity import popularity_of
from app.errors import DataError
from app.interests.state import Kind
from model_server.drift.reference import reference_of
from model_server.hybrid.training import fit_hybrid
from model_server.model.config import NetworkConfig
from model_server.peak_memory import PeakMemory
from model_server.registry.version import TrainedModel, TrainingData
from model_server.text.encoder import OnProgress as OnTexts
from model_server.text.encoder import TextEncoder
from model_server.training.execution import Execution
from model_server.training.findings import findings
from model_server.training.loop import OnProgress, all_item_vectors
from model_server.training.members import TrainedMembers, train_members
from model_server.training.options import TrainingOptions, has_text
from model_server.training.validation import ValidationSplit, split_validation, validation_ranks


@dataclass(frozen=True, slots=True, eq=False)
class TrainingJob:
    """What to train on, and how that is carried out.

    Args:
        dataset: where `interactions` come from; its catalog gives the texts.
        interactions: the part of it that may be learned from.
        held_out_events: how many newer ones are kept away.
        popularity_half_life_days: for the popularity that goes with the model.
        execution: processes, parts, precision, checkpoints.
    """

    dataset: Dataset
    interactions: Interactions
    held_out_events: int
    popularity_half_life_days: float
    execution: Execution = field(default_factory=Execution)


def train_model(
    job: TrainingJob,
    encoder: TextEncoder,
    options: TrainingOptions,
    device: torch.device,
    on_progress: OnProgress,
    on_texts: OnTexts | None = None,
) -> TrainedModel:
    """Train a model on the job's interactions.

    Only items that occur in them get an ID row; the others are cold and work from their text.

    Args:
        job: what to train on.
        encoder: reads the items' texts.
        options: the settings.
        device: where to train.
        on_progress: called after every training step.
        on_texts: called while new texts are encoded.

    Raises:
        DataError: there is too little to learn from, or the text encoder cannot be fetched.
    """
    split = split_validation(job.interactions, options.validation_users, np.random.default_rng(options.seed))
    warm = np.unique(split.training.items)
    _check_enough(split.training, warm)
    with job.execution.team.leader_first():
        texts = item_texts(job.dataset.catalog, warm, encoder, on_texts)
    config = network_config(options, split.training, len(warm), encoder.dimension if texts.any() else 0)
    peak = PeakMemory(device)
    by_row = _numbered_by_row(split, warm, catalog_items=len(job.dataset.catalog))
    on_device = torch.from_numpy(texts).to(device)
    trained = train_members(config, by_row, on_device, options, on_progress, job.execution)
    vectors = all_item_vectors(trained.network, on_device)
    ranks = validation_ranks(trained.network, by_row, vectors)
    popularity = popularity_of(job.interactions, job.popularity_half_life_days)
    everything = _items_by_row(job.interactions, warm, catalog_items=len(job.dataset.catalog))
    return TrainedModel(
        network=trained.network,
        text_encoder=encoder.fingerprint,
        item_ids=tuple(job.dataset.catalog[item].item_id for item in warm),
        texts=texts,
        popularity=popularity,
        hybrid=fit_hybrid(trained.network, vectors, by_row, everything, job.popularity_half_life_days),
        data=described(job, options),
        metrics=_metrics(trained, peak.mb()) | findings(ranks, by_row, len(warm)),
        reference=reference_of(job.interactions, job.popularity_half_life_days),
    )


def item_texts(
    catalog: Sequence[CatalogItem], items: NDArray[np.integer], encoder: TextEncoder, on_texts: OnTexts | None
) -> NDArray[np.float32]:
    """(items, text_dimension) of these items; zeros where nothing is known of any of them but its id."""
    if not any(has_text(catalog[item]) for item in items):
        return np.zeros((len(items), encoder.dimension), dtype=np.float32)
    return encoder.encode(texts_of(catalog, items), on_texts)


def texts_of(catalog: Sequence[CatalogItem], items: NDArray[np.integer]) -> list[str]:
    """What the text encoder reads of these items."""
    return [item_text(catalog[item]) for item in items]


def network_config(options: TrainingOptions, training: Interactions, items: int, text_dimension: int) -> NetworkConfig:
    """The shape of the network for so many items, and texts of this width (0: without)."""
    return NetworkConfig(
        items=items,
        text_dimension=text_dimension,
        kinds_seen=tuple(Kind(number) for number in np.unique(training.kinds)),
        dimension=options.dimension,
        heads=options.heads,
        hidden=options.hidden,
        max_length=options.max_length,
        dropout=options.dropout,
        id_dropout=options.id_dropout,
        kind_dropout=options.kind_dropout,
    )


def _numbered_by_row(split: ValidationSplit, warm: NDArray[np.int32], catalog_items: int) -> ValidationSplit:
    """The same split with rows of the ID table as items; a target that has no row cannot be validated."""
    targets = _row_of(warm, catalog_items)[split.targets]
    return ValidationSplit(
        training=_items_by_row(split.training, warm, catalog_items),
        histories=[history for history, target in zip(split.histories, targets, strict=True) if target >= 0],
        targets=targets[targets >= 0],
    )


def _items_by_row(log: Interactions, warm: NDArray[np.int32], catalog_items: int) -> Interactions:
    """The same log with rows of the ID table as items; -1 for an item without one."""
    return replace(log, items=_row_of(warm, catalog_items)[log.items].astype(np.int32))


def _row_of(warm: NDArray[np.int32], catalog_items: int) -> NDArray[np.int64]:
    row_of = np.full(catalog_items, -1, dtype=np.int64)
    row_of[warm] = np.arange(len(warm))
    return row_of


def _metrics(trained: TrainedMembers, peak_memory_mb: float) -> dict[str, float]:
    """Of several members: the epochs of the one that took the most, and how one alone did, on average."""
    longest = max(trained.each, key=lambda one: one.epochs_run)
    alone = [one.validation for one in trained.each]
    return {
        "validation_hr10": trained.validation.hr10,
        "validation_ndcg10": trained.validation.ndcg10,
        "validation_mrr10": trained.validation.mrr10,
        "validation_users": float(trained.validation.cases),
        "members": float(len(alone)),
        "member_hr10": sum(metrics.hr10 for metrics in alone) / len(alone),
        "member_ndcg10": sum(metrics.ndcg10 for metrics in alone) / len(alone),
        "best_epoch": float(longest.best_epoch),
        "epochs": float(longest.epochs_run),
        "seconds": round(trained.seconds, 1),
        "peak_memory_mb": peak_memory_mb,
    }


def _check_enough(training: Interactions, warm: NDArray[np.int32]) -> None:
    """At least one user with two events, and two items to tell apart."""
    most = int(np.bincount(training.users).max()) if len(training) else 0
    if len(warm) < 2 or most < 2:  # noqa: PLR2004 - the two that the docstring names
        raise DataError(
            f"There is too little to learn from: {len(training)} events on {len(warm)} items, at most {most} per user.",
            hint="Give more events, or hold out fewer (--holdout-events).",
        )


def described(job: TrainingJob, options: TrainingOptions) -> TrainingData:
    """What the version says it was trained on."""
    seen = job.interactions
    return TrainingData(
        name=job.dataset.name,
        sha256=job.dataset.fingerprint,
        events=len(seen),
        users=len(np.unique(seen.users)),
        items=len(job.dataset.catalog),
        first_ts_ms=int(seen.ts_ms[0]),
        last_ts_ms=int(seen.ts_ms[-1]),
        held_out_events=job.held_out_events,
        options=asdict(options),
    )
