"""`riverrun evaluate`: only the options; what it does is in model_server.evaluation.session, which imports torch."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from app.data.formats.names import Format
from app.errors import SettingsError


class Protocol(StrEnum):
    """What is learned from and what is predicted (model_server.evaluation.protocols and .basket)."""

    LOO = "loo"
    COLD = "cold"
    STREAM = "stream"
    BASKET = "basket"


_SHARE: Final = {Protocol.LOO: 1.0, Protocol.COLD: 0.1, Protocol.STREAM: 1.0, Protocol.BASKET: 0.25}


def evaluate(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="loo: every user's last event; cold: the same of models that never saw some items; "
            "stream: every event after the cut, as it comes; "
            "basket: every basket after the cut"
        ),
    ] = Protocol.LOO,
    task: Annotated[str, typer.Option(help="basket: next, discover, cart, promotion or new; empty: next")] = "",
    data: Annotated[
        str, typer.Option(help="movielens-100k, complete-journey[-thinned] (fetched), a file or folder")
    ] = "movielens-100k",
    format_: Annotated[Format, typer.Option("--format", help="of the file; auto looks at it")] = Format.AUTO,
    map_: Annotated[str, typer.Option("--map", help="columns of the file, as for riverrun train")] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items")] = None,
    catalog_map: Annotated[str, typer.Option(help="its columns, as for riverrun train")] = "",
    min_events: Annotated[
        int, typer.Option(min=0, help="leave out users and items with fewer, until none is left (k-core)")
    ] = 0,
    newest_events: Annotated[int, typer.Option(min=0, help="only so many of the newest; 0: all")] = 0,
    models: Annotated[
        str,
        typer.Option(
            help="names with commas between: riverrun, network, lists, popularity, covisitation, own-frequency, "
            "item-knn, ease, als and more (a wrong name lists all); empty: riverrun and the cheap counts"
        ),
    ] = "",
    against: Annotated[
        str, typer.Option(help="the model that the others are compared with; empty: the best baseline")
    ] = "",
    train: Annotated[bool, typer.Option("--train", help="train riverrun on what the protocol allows")] = False,
    version: Annotated[
        list[Path] | None,
        typer.Option(
            help="not loo: a version's folder instead of --train, also several; the cut is where training ended"
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="numbers with commas between; whatever chance has a part in is done once with each")
    ] = "0",
    train_share: Annotated[float, typer.Option(min=0.01, max=0.99, help="share of the data before the cut")] = 0.6,
    share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="of what comes after the cut, how much is asked: stream 1, basket .25; "
            "cold: of the items, how many are never learned from: .1",
        ),
    ] = None,
    max_events: Annotated[int, typer.Option(min=0, help="stream: at most this many events; 0: all")] = 0,
    relearn_days: Annotated[
        int,
        typer.Option(
            min=0, help="stream, basket with --train: also riverrun trained anew every so many days (@relearning)"
        ),
    ] = 0,
    repeats: Annotated[
        bool,
        typer.Option("--repeats", help="loo, stream: what the user has had may be right again, so it is not hidden"),
    ] = False,
    staleness: Annotated[
        bool, typer.Option("--staleness", help="also ask what a late state knew: late by events, visits, time")
    ] = False,
    through_kafka: Annotated[
        int,
        typer.Option(
            min=0,
            help="stream with one --version: so many events through Kafka, agents and model server; "
            "the version as it is, its network alone, its co-visitation alone",
        ),
    ] = 0,
    noise: Annotated[int, typer.Option(min=0, help="also ask with this many random events in each history")] = 0,
    plots: Annotated[Path | None, typer.Option(help="folder for the pictures and a page of HTML")] = None,
    options: Annotated[
        Path | None,
        typer.Option(help="with --train: a .json or .toml file with training options, as for riverrun train"),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="with --train: passes over the data, at most")] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: torch decides")] = 0,
    json: Annotated[bool, typer.Option("--json", help="end with one line of JSON")] = False,
) -> None:
    """Compare models with baselines: full ranking, nothing sampled, intervals by a paired bootstrap over users.

    At 10: HR, recall, NDCG, MRR, coverage, novelty (bits), distance within a list and calibration (by category), Gini.
    """
    # torch takes seconds to import; --help does without.
    from app.data.source import DataSource  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from model_server.evaluation.request import EvaluationRequest  # noqa: PLC0415
    from model_server.evaluation.session import run_evaluation  # noqa: PLC0415
    from model_server.training.chosen import read_choices  # noqa: PLC0415

    source = DataSource(data, format_, map_, catalog, catalog_map, min_events=min_events, newest_events=newest_events)
    if through_kafka:
        from model_server.evaluation.kafka_session import evaluate_through_kafka  # noqa: PLC0415

        evaluate_through_kafka(source, version or [], through_kafka, load_settings())
        return
    choices = {**(read_choices(options) if options else {}), **({"epochs": epochs} if epochs else {})}
    request = EvaluationRequest(
        protocol=protocol.value,
        task=task or ("next" if protocol is Protocol.BASKET else ""),
        source=source,
        models=tuple(_words(models)),
        against=against,
        choices=choices if train else None,
        seeds=_seeds(seeds),
        versions=tuple(version or ()),
        train_share=train_share,
        share=share if share is not None else _SHARE[protocol],
        max_events=max_events,
        relearn_days=relearn_days,
        repeats=repeats,
        staleness=staleness,
        noise=noise,
        plots=plots,
        threads=threads,
        as_json=json,
    )
    run_evaluation(request, load_settings())


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _seeds(text: str) -> tuple[int, ...]:
    words = _words(text)
    if not words or not all(word.isdigit() for word in words):
        raise SettingsError(f"--seeds {text!r}: wanted numbers with commas between.", hint="Say --seeds 0,1,2.")
    return tuple(dict.fromkeys(int(word) for word in words))
