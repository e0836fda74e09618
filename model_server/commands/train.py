"""`riverrun train`: only the options; what it does is in model_server.training.session, which imports torch."""

from pathlib import Path
from typing import Annotated

import typer

from app.data.formats.names import Format
from model_server.commands.train_encoder import train_encoder
from model_server.training.precision import Precision

app = typer.Typer(invoke_without_command=True)
app.command("encoder")(train_encoder)


@app.callback()
def train(  # noqa: PLR0913, PLR0917 - typer: one parameter per option
    context: typer.Context,
    data: Annotated[
        str, typer.Option(help="movielens-100k, complete-journey[-thinned] (fetched), a file or folder: docs/data.md")
    ] = "movielens-100k",
    format_: Annotated[Format, typer.Option("--format", help="of the file")] = Format.AUTO,
    map_: Annotated[
        str,
        typer.Option("--map", help="columns of a table: user=customer_id,item=sku,ts=time[,type=...][,rating=...]"),
    ] = "",
    catalog: Annotated[Path | None, typer.Option(help="file with the items: titles make new items work")] = None,
    catalog_map: Annotated[
        str, typer.Option(help="its columns: item=sku,title=name[,category=...][,brand=...][,attribute:colour=...]")
    ] = "",
    min_events: Annotated[int, typer.Option(min=0, help="drop users and items with fewer, until none is left")] = 0,
    newest_events: Annotated[int, typer.Option(min=0, help="read only so many; 0: all")] = 0,
    holdout_events: Annotated[int, typer.Option(min=0, help="the newest events, never learned from; 0: none")] = 10_000,
    options: Annotated[
        Path | None,
        typer.Option(help="a .json or .toml file with training options, as riverrun tune writes it; else by the data"),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="passes over the data, at most; overrides --options")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="same seed, same machine, same model; overrides --options")
    ] = None,
    members: Annotated[
        int | None, typer.Option(min=1, help="networks whose logits are averaged; overrides --options")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: torch decides")] = 0,
    models_dir: Annotated[Path | None, typer.Option(help="where versions are kept; default: the setting")] = None,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="take the newest version trained on this very data, if there is one")
    ] = False,
    if_none: Annotated[
        bool, typer.Option("--if-none", help="only where there is no version yet, on whatever data")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="begin anew, even where a killed run of the same data and options stands")
    ] = False,
    checkpoint_every_s: Annotated[float, typer.Option(min=0, help="seconds between two checkpoints")] = 20.0,
    checkpoints: Annotated[
        Path | None, typer.Option(help="folder for what a killed run goes on from; default: the models folder")
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="the same bits every time, on a GPU too; slower there")
    ] = False,
    precision: Annotated[
        Precision, typer.Option(help="what is multiplied; auto: bfloat16 where it pays")
    ] = Precision.AUTO,
    private: Annotated[
        float | None,
        typer.Option(
            help="differential privacy of every person: spend at most this epsilon; needs uv sync --group privacy"
        ),
    ] = None,
    parts: Annotated[
        int, typer.Option(min=1, help="work a batch through in so many parts: the same gradient in less memory")
    ] = 1,
    encoder: Annotated[
        Path | None, typer.Option(help="folder of riverrun train encoder: texts are read as it learned to")
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="serve it at once; else only where no version is served yet")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="end with one line of JSON")] = False,
) -> None:
    """Train the model and keep it as a version, which the model server finds.

    Without options: MovieLens-100K, in about four minutes on one core. A run that was stopped or killed is gone on with
    by the same command. Several GPUs or processes: torchrun --nproc-per-node N -m app.cli.main train ...
    """
    if context.invoked_subcommand is not None:
        return
    # torch takes seconds to import; --help does without.
    from app.data.source import DataSource  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415
    from model_server.training.chosen import chosen  # noqa: PLC0415
    from model_server.training.session import Manner, TrainingRequest, run_training  # noqa: PLC0415

    settings = load_settings()
    request = TrainingRequest(
        source=DataSource(data, format_, map_, catalog, catalog_map, min_events, newest_events),
        holdout_events=holdout_events,
        choices=chosen(options, epochs=epochs, seed=seed, members=members, epsilon=private),
        threads=threads,
        models_dir=models_dir or settings.scoring.models_dir,
        reuse=reuse,
        if_none=if_none,
        as_json=json,
        promote=promote,
        encoder=encoder,
        manner=Manner(
            parts=parts,
            precision=precision,
            deterministic=deterministic,
            checkpoint_every_s=checkpoint_every_s,
            checkpoints=checkpoints,
            fresh=fresh,
        ),
    )
    run_training(request, settings)
