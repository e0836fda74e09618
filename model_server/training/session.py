"""One run of `riverrun train`: data, training with a progress bar, the version folder, what it prints."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import torch
from rich.console import Console

from app.code_version import code_version
from app.data.filters import check_happened
from app.data.interactions import split_newest
from app.data.source import DataSource, open_dataset
from app.errors import SettingsError
from app.settings import Settings
from model_server.device import resolve_device
from model_server.privacy.run import train_as_wanted
from model_server.registry.champion import champion_of, promote, settle
from model_server.registry.folders import latest_version
from model_server.registry.load import load_version
from model_server.registry.private import is_private
from model_server.registry.save import save_version
from model_server.registry.version import ModelVersion, TrainedModel
from model_server.text.pretrained import open_text_encoder
from model_server.text.tuned import check_kept_away, read_tuned
from model_server.training.bar import TrainingBar
from model_server.training.checkpoint import Checkpoints
from model_server.training.chosen import Choices, with_choices
from model_server.training.earlier import TrainedOn, trained_before
from model_server.training.execution import Execution
from model_server.training.options import options_for
from model_server.training.precision import Precision
from model_server.training.resumable import TrainingKey, claimed, shared
from model_server.training.run import TrainingJob
from model_server.training.second_stage import with_ranker
from model_server.training.team import Team, joined_team


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the person wants the training carried out.

    Args:
        parts, precision, deterministic: see `Execution`.
        checkpoint_every_s: seconds between checkpoints within an epoch.
        checkpoints: folder for them; None: that of the versions.
        fresh: begin anew, whatever was begun before.
    """

    parts: int = 1
    precision: Precision = Precision.AUTO
    deterministic: bool = False
    checkpoint_every_s: float = 20.0
    checkpoints: Path | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What the person asked for; see `riverrun train --help`. Options that are not among `choices` follow the data.

    Without `promote` the version becomes the champion only where there is none, without `encoder` texts are read by the
    pretrained one.
    """

    source: DataSource
    holdout_events: int
    choices: Choices
    threads: int
    models_dir: Path
    reuse: bool
    if_none: bool
    as_json: bool
    promote: bool = False
    encoder: Path | None = None
    manner: Manner = field(default_factory=Manner)


def run_training(request: TrainingRequest, settings: Settings) -> Path:
    """Train and keep the version; progress to stderr, the result to stdout.

    Raises:
        DataError: the data cannot be read or is too little.
        ModelVersionError: the fine-tuned encoder is damaged, or of another riverrun.
        SettingsError: the device is not there, or options contradict each other.
    """
    started = time.perf_counter()
    if request.if_none and (there := latest_version(request.models_dir)) is not None:
        folder = request.models_dir / (champion_of(request.models_dir) or there.name)
        Console(stderr=True, highlight=False).print(f"Version {folder.name} is there: nothing to train.")
        if request.as_json:
            sys.stdout.write(json.dumps(_summary(folder, started)) + "\n")
        return folder
    if request.threads:
        torch.set_num_threads(request.threads)
    with joined_team(resolve_device(settings.scoring.device)) as (team, device):
        version = _Session(request, settings, team, device).version()
    if team.leads:
        if request.promote:
            promote(request.models_dir, version.name, "`riverrun train --promote`", _now_ms())
        settle(request.models_dir, _now_ms())
        champion = champion_of(request.models_dir) == version.name
        summary = _summary(version.folder, started) | {"champion": champion}
        _report(summary, version.model, as_json=request.as_json)
    return version.folder


class _Session:
    """One run, in one of the processes that train together.

    Args:
        request: what the person asked for.
        settings: all of them.
        team: the processes; only the leader talks and writes.
        device: where this one trains.
    """

    def __init__(self, request: TrainingRequest, settings: Settings, team: Team, device: torch.device) -> None:
        self._request = request
        self._team = team
        self._device = device
        self._console = Console(stderr=True, highlight=False, quiet=not team.leads)
        with team.leader_first():
            private = _is_private(request)
            dataset = open_dataset(request.source, settings.cache_dir, self._console.print)
            self._tuned = None if request.encoder is None else read_tuned(request.encoder)
            self._encoder = open_text_encoder(settings.cache_dir, device, self._console.print, self._tuned)
        self._parent = self._champion_before() if team.leads else ""
        # A cut by number moves for everybody when one person more is there.
        part = split_newest(dataset.interactions, 0 if private else request.holdout_events)
        check_happened(part.before, _now_ms())
        if self._tuned is not None:
            check_kept_away(self._tuned, dataset.fingerprint, len(part.after))
        self._options = with_choices(options_for(part.before, dataset.catalog), request.choices)
        self._job = TrainingJob(
            dataset=dataset,
            interactions=part.before,
            held_out_events=len(part.after),
            popularity_half_life_days=settings.scoring.popularity_half_life_days,
            execution=Execution(
                parts=request.manner.parts,
                precision=request.manner.precision,
                deterministic=request.manner.deterministic,
                team=team,
            ),
        )

    def version(self) -> ModelVersion:
        """The one trained before, if that will do, or a new one."""
        kept = self._team.agreed(self._kept() if self._team.leads else None)
        if kept is not None:
            self._console.print(f"Version {kept.name} was trained on this data before: taking it.")
            return load_version(kept, self._device)
        with self._checkpoints() as checkpoints:
            model = self._with_lineage(self._train(checkpoints))
            if self._team.leads and self._options.epsilon is None:  # a ranker would be another look at people
                model = with_ranker(model, self._job, self._encoder, self._options.seed, self._console.print)
            saved = save_version(self._request.models_dir, model, _now_ms()) if self._team.leads else None
            if checkpoints is not None and self._team.leads:
                checkpoints.remove()
        folder = self._team.agreed(saved) or self._request.models_dir
        return ModelVersion(name=folder.name, folder=folder, model=model)

    def _kept(self) -> Path | None:
        if not self._request.reuse:
            return None
        wanted = TrainedOn(
            self._job.dataset.fingerprint,
            self._job.held_out_events,
            self._encoder.fingerprint,
            self._options.epsilon,
            self._options.delta,
        )
        before = trained_before(self._request.models_dir, wanted, self._device, self._console.print)
        return None if before is None else before.folder

    def _train(self, checkpoints: Checkpoints | None) -> TrainedModel:
        job = replace(self._job, execution=replace(self._job.execution, checkpoints=checkpoints))
        with ExitStack() as stack:
            bar = TrainingBar(self._console, stack)
            return train_as_wanted(job, self._encoder, self._options, self._device, bar.on_progress, bar.on_texts)

    def _with_lineage(self, model: TrainedModel) -> TrainedModel:
        data = msgspec.structs.replace(model.data, code=code_version(), parent=self._parent)
        return replace(model, data=data, tuned=self._tuned)

    def _champion_before(self) -> str:
        """Asked before hours of training: whoever is served because it is the newest version must not lose that."""
        settle(self._request.models_dir, _now_ms())
        return champion_of(self._request.models_dir) or ""

    @contextmanager
    def _checkpoints(self) -> Iterator[Checkpoints | None]:
        """Where this training goes on; says so if it was begun before."""
        manner = self._request.manner
        if self._options.epsilon is not None:  # unfinished, it has no guarantee
            yield None
            return
        key = TrainingKey(
            data=self._job.dataset.fingerprint,
            held_out_events=self._job.held_out_events,
            text_encoder=self._encoder.fingerprint,
            options=self._options,
            precision=manner.precision,
            processes=self._team.size,
            device=self._device.type,
        )
        claim = claimed if self._team.leads else shared
        folder = manner.checkpoints or self._request.models_dir
        with claim(folder, key, manner.checkpoint_every_s, self._console.print) as mine:
            checkpoints = mine if self._team.agreed(mine is not None) else None
            if checkpoints is not None and manner.fresh and self._team.leads:
                checkpoints.remove()
            if checkpoints is not None and (said := self._team.agreed(self._begun(checkpoints))):
                self._console.print(f"{said} (--fresh begins anew).")
            yield checkpoints

    def _begun(self, checkpoints: Checkpoints) -> str:
        """Where an earlier run of the same data and options was; empty where there was none."""
        members = self._options.members
        places = [checkpoints.of_member(number).place() for number in range(members)]
        begun = [place for place in places if place is not None]
        if not begun:
            return ""
        where = f"epoch {begun[-1].epoch}" + (f" of network {len(begun)} of {members}" if members > 1 else "")
        seconds = sum(place.seconds for place in begun)
        return f"Going on in {where}, where an earlier run of the same data and options was after {seconds:.0f} s"


def _is_private(request: TrainingRequest) -> bool:
    """Whether people are to be protected.

    Raises:
        SettingsError: what else was asked for looks across people before privacy begins.
    """
    if request.choices.get("epsilon") is None:
        return False
    if request.encoder is not None:
        raise SettingsError("An encoder that was fine-tuned on people is not private.", hint="Leave out --encoder.")
    if request.source.min_events or request.source.newest_events:
        raise SettingsError(
            "What --min-events and --newest-events leave out of one person depends on the others.",
            hint="Leave them out with --private.",
        )
    return True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _summary(folder: Path, started: float) -> dict[str, object]:
    return {"version": folder.name, "folder": str(folder), "seconds": round(time.perf_counter() - started, 1)}


def _report(summary: dict[str, object], model: TrainedModel, *, as_json: bool) -> None:
    if as_json:
        data = {name: getattr(model.data, name) for name in model.data.__struct_fields__}
        line = {**summary, "data": data, "metrics": model.metrics}
        sys.stdout.write(json.dumps(line) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{summary['version']}[/bold]: {_outcome(model.metrics)}, {summary['seconds']} s")
    console.print(str(summary["folder"]))
    if not summary["champion"]:
        console.print(f"Another version is served. To serve this one: riverrun models promote {summary['version']}")


def _outcome(metrics: Mapping[str, float]) -> str:
    """Validation, or where nobody was asked what that guarantees."""
    if is_private(metrics):
        return (
            f"epsilon {metrics['private_epsilon']:.2f}, delta {metrics['private_delta']:.1e} for each of "
            f"{metrics['private_people']:.0f} people (noise {metrics['private_noise']:.2f}, "
            f"{metrics['private_steps']:.0f} steps)"
        )
    return (
        f"validation HR@10 {metrics['validation_hr10']:.3f}, NDCG@10 {metrics['validation_ndcg10']:.3f} "
        f"(epoch {metrics['best_epoch']:.0f} of {metrics['epochs']:.0f})"
    )
