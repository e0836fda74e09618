"""`riverrun settings`: what can be set, and what it is now."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from app.settings import Settings, known_variables, load_settings


def settings(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """List every setting: its environment variable, its value now, and what it means."""
    values = current_values(load_settings())
    if as_json:
        typer.echo(json.dumps(values))
        return
    table = Table(Column("Variable", no_wrap=True), "Value", "Meaning", title="Settings", title_justify="left")
    for variable, meaning in known_variables().items():
        value = values[variable]
        table.add_row(variable, "" if value is None else str(value), meaning)
    Console().print(table)


def current_values(loaded: Settings) -> dict[str, Any]:
    """Each variable's value, as JSON would have it."""
    values: dict[str, Any] = {}
    dumped = loaded.model_dump(mode="json")
    for variable in known_variables():
        section, _, key = variable.removeprefix("RIVERRUN_").lower().partition("__")
        values[variable] = dumped[section][key] if key else dumped[section]
    return values
