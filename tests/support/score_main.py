"""`riverrun score` without the other commands: a test of the model server starts, and fails, with it alone."""

import logging
import sys

import typer

from app.errors import RiverrunError
from model_server.commands.score import score

if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    cli = typer.Typer(pretty_exceptions_enable=False)
    cli.command()(score)
    try:
        cli()
    except RiverrunError as error:
        sys.stderr.write(f"riverrun: {error}\n")
        sys.exit(error.exit_code)
