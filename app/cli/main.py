"""`riverrun`: one command for everything.

The processes bring their own commands (entry points `riverrun.commands`): nothing here imports Faust or torch.
"""

import errno
import sys
from importlib.metadata import entry_points, version
from io import TextIOWrapper
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from app.cli import bench, contracts, demo, gateway, replay, settings, topics
from app.errors import RiverrunError
from app.logs import LogLevel, log_to_stderr

_PANELS: Final = {
    "agents": "Run",
    "score": "Run",
    "learn": "Run",
    "train": "Learn",
    "tune": "Learn",
    "federate": "Learn",
    "evaluate": "Learn",
    "models": "Operate",
}


# What a disk or a folder refuses, in any command and anywhere: nothing that a traceback would help with.
_REFUSED: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)

_INTERRUPTED: Final = 130  # 128 + SIGINT, as a shell counts it


def build() -> typer.Typer:
    """The command line with every command that is installed."""
    cli = typer.Typer(
        name="riverrun",
        help="From a click in Kafka to a fresh list of recommendations, in milliseconds.",
        epilog="Start with [bold]riverrun demo[/bold]: it brings its own Kafka, data and model.",
        rich_markup_mode="rich",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback()(_common)
    cli.command(rich_help_panel="Try")(demo.demo)
    cli.command(rich_help_panel="Try")(replay.replay)
    for entry in sorted(entry_points(group="riverrun.commands"), key=lambda each: list(_PANELS).index(each.name)):
        loaded, panel = entry.load(), _PANELS[entry.name]
        if isinstance(loaded, typer.Typer):
            cli.add_typer(loaded, name=entry.name, rich_help_panel=panel)
        else:
            cli.command(entry.name, rich_help_panel=panel)(loaded)
    cli.command(rich_help_panel="Run")(gateway.gateway)
    cli.add_typer(topics.app, name="topics", rich_help_panel="Operate")
    cli.command(rich_help_panel="Operate")(settings.settings)
    cli.command(rich_help_panel="Operate")(contracts.contracts)
    cli.add_typer(bench.app, name="bench", rich_help_panel="Measure")
    return cli


def main() -> None:
    """Run a command; an error that a person can mend is one line and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows ASCII only still gets its answer
    try:
        build()()
    except (Exception, KeyboardInterrupt) as error:
        if interrupted(error):
            typer.echo("Aborted.", err=True)
            sys.exit(_INTERRUPTED)
        if isinstance(error, RiverrunError):
            _fail(error)
        if isinstance(error, OSError) and error.errno in _REFUSED:
            _fail(refused(error))
        if "aiokafka" in sys.modules and (taken := _permission_taken(error)):
            _fail(taken)
        raise


def interrupted(error: BaseException | None) -> bool:
    """Whether a Ctrl-C is behind this error: amid an import it can come out as whatever that left half made."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def refused(error: OSError) -> RiverrunError:
    """What a person reads when a file or folder cannot be written or read."""
    return RiverrunError(
        f"{error.filename or 'A file'}: {error.strerror}.",
        hint="Free some space or permit it, or choose another place: RIVERRUN_CACHE_DIR, RIVERRUN_AGENTS__STATE_DIR, "
        "RIVERRUN_SCORING__MODELS_DIR, TMPDIR.",
    )


def _permission_taken(error: BaseException) -> RiverrunError | None:
    from app.kafka.errors import forbidden  # noqa: PLC0415  # imports the client, which --help does without

    return forbidden(error)


def _fail(error: RiverrunError) -> NoReturn:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[bold red]riverrun:[/bold red] {escape(error.what)}")
    if error.hint:
        console.print(f"          {escape(error.hint)}")
    sys.exit(error.exit_code)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(version("riverrun"))
        raise typer.Exit


def _common(
    log_level: Annotated[LogLevel, typer.Option(help="How much is told on stderr.")] = LogLevel.INFO,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    log_to_stderr(log_level)


if __name__ == "__main__":
    main()
