"""`riverrun contracts`: the AsyncAPI document of every topic."""

import json
from importlib.metadata import version
from typing import Any

import typer

from app.contracts.asyncapi import asyncapi_document
from app.kafka.topics import load_topics


def contracts() -> None:
    """Print the contracts of all topics as an AsyncAPI 3 document (JSON)."""
    typer.echo(json.dumps(contracts_document(), indent=2))


def contracts_document() -> dict[str, Any]:
    """The AsyncAPI document with the topic names of infra/kafka/topics.yml."""
    names = {role.replace("_", "-"): spec.name for role, spec in load_topics().by_role().items()}
    return asyncapi_document(names, version("riverrun"))
