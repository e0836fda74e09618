"""`riverrun evaluate`: only the options; what it does is in model_server.evaluation.session, which imports torch."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Protocol(StrEnum):
    """What is learned from and what is predicted (model_server.evaluation.protocols)."""

    LOO = "loo"
    STREAM = "stream"


def evaluate(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    protocol: Annotated[
        Protocol, typer.Option(help="loo: every user's last event; stream: every event after the cut, as it comes")
    ] = Protocol.LOO,
    data: Annotated[
        str, typer.Option(help="movielens-100k (fetched), or a .parquet, .csv or .tsv file")
    ] = "movielens-100k",
    map_: Annotated[str, typer.Option("--map", help="columns of the file, as for riverrun train")] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items")] = None,
    catalog_map: Annotated[str, typer.Option(help="its columns, as for riverrun train")] = "",
    train: Annotated[
        bool, typer.Option("--train", help="train the network on what the protocol allows; else only baselines")
    ] = False,
    version: Annotated[
        Path | None, typer.Option(help="stream only: a version's folder; the cut is where its training ended")
    ] = None,
    train_share: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="stream: share of events before the cut")
    ] = 0.6,
    max_events: Annotated[int, typer.Option(min=0, help="stream: predict at most this many events; 0: all")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="with --train")] = 16,
    seed: Annotated[int, typer.Option(help="with --train")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: torch decides")] = 0,
    json: Annotated[bool, typer.Option("--json", help="end with one line of JSON")] = False,
) -> None:
    """Compare the model with popularity and co-visitation: full ranking, nothing sampled, what was seen left out.

    Metrics at 10: HR (hit rate), NDCG, MRR, and the share of the catalog that was shown to anybody.
    """
    # torch takes seconds to import; --help does without.
    from app.data.source import DataSource  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from model_server.evaluation.session import EvaluationRequest, run_evaluation  # noqa: PLC0415
    from model_server.training.options import TrainingOptions  # noqa: PLC0415

    request = EvaluationRequest(
        protocol=protocol.value,
        source=DataSource(data=data, map=map_, catalog=catalog, catalog_map=catalog_map),
        options=TrainingOptions(epochs=epochs, seed=seed) if train else None,
        version=version,
        train_share=train_share,
        max_events=max_events,
        threads=threads,
        as_json=json,
    )
    run_evaluation(request, load_settings())
