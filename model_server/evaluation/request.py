"""What a person asks `riverrun evaluate`."""

from dataclasses import dataclass
from pathlib import Path

from app.data.source import DataSource
from model_server.training.chosen import Choices


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """See `riverrun evaluate --help`.

    Args:
        protocol: loo, cold, stream or basket.
        task: of basket.
        source: the data.
        models: names of recommenders; empty: riverrun, where there is one, and the cheap counts.
        against: the model with which the others are compared; empty: the best one that is not riverrun's.
        choices: training options in the place of those that suit the data; None: nothing is trained.
        seeds: everything that has to do with chance is done once with each.
        versions: folders of model versions that exist already.
        train_share: stream and basket: how much of the data lies before the cut.
        share: stream and basket: how many of the cases after it are asked; cold: how many of the items are new.
        max_events: stream: at most so many events after it; 0: all.
        relearn_days: stream and basket: also what is trained anew after so many days, time and again; 0: nothing is.
        repeats: what the user has had already may be right again.
        staleness: ask late states as well.
        noise: random events put into each history in another form of the questions; 0: none.
        plots: the folder for pictures and the page.
        threads: of torch; 0: torch decides.
        as_json: end with a line of JSON.
    """

    protocol: str
    task: str
    source: DataSource
    models: tuple[str, ...]
    against: str
    choices: Choices | None
    seeds: tuple[int, ...]
    versions: tuple[Path, ...]
    train_share: float
    share: float
    max_events: int
    relearn_days: int
    repeats: bool
    staleness: bool
    noise: int
    plots: Path | None
    threads: int
    as_json: bool
