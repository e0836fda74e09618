"""The contracts as an AsyncAPI 3.0 document, made from the same types that the code decodes with.

`docs/asyncapi.json` is this document; a test fails when the two differ.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.contracts import catalog, dead_letters, events, model_updates, recommendations
from app.interests import state

_REF_TEMPLATE: Final = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic's contract: who writes it, what its key is, and the type of its messages."""

    role: str
    summary: str
    message_type: Any  # a Struct or a union of them: what msgspec.json.schema takes
    schema_version: int
    content_type: str
    riverrun_action: str
    compacted: bool = False


CHANNELS: Final = (
    Channel(
        "events", "What visitors do. Key: user id.", events.PublicEvent, events.SCHEMA_VERSION,
        "application/json", "receive",
    ),
    Channel(
        "catalog", "The items there are. Key: item id; a null value delists the item.", catalog.CatalogItem,
        catalog.SCHEMA_VERSION, "application/json", "receive", compacted=True,
    ),
    Channel(
        "score-requests",
        "Changed users with their newest state. Key: user id; a null value forgets the user. "
        "One schema version byte, then the msgpack of these arrays.",
        state.UserState, state.SCHEMA_VERSION, "application/vnd.msgpack", "send",
    ),
    Channel(
        "recommendations", "The newest lists of a user. Key: user id; a null value forgets the user.",
        recommendations.Recommendations, recommendations.SCHEMA_VERSION, "application/json", "send", compacted=True,
    ),
    Channel(
        "dead-letters", "Input that could not be used, with its reason and origin. Key: as it came.",
        dead_letters.DeadLetter, dead_letters.SCHEMA_VERSION, "application/json", "send",
    ),
    Channel(
        "model-updates", "The model version that is served, each time that it changes. Key: `champion`.",
        model_updates.ModelUpdate, model_updates.SCHEMA_VERSION, "application/json", "send", compacted=True,
    ),
)  # fmt: skip


def asyncapi_document(topic_names: Mapping[str, str], version: str) -> dict[str, Any]:
    """Make the document.

    Args:
        topic_names: the Kafka topic of each channel's role.
        version: riverrun's version.
    """
    schemas, components = msgspec.json.schema_components(
        [channel.message_type for channel in CHANNELS], ref_template=_REF_TEMPLATE
    )
    settle([schemas, components])
    messages = {
        _camel(channel.role): {
            "name": channel.role,
            "summary": channel.summary,
            "contentType": channel.content_type,
            "payload": schema,
            "x-schema-version": channel.schema_version,
        }
        for channel, schema in zip(CHANNELS, schemas, strict=True)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "riverrun",
            "version": version,
            "description": "Events in, fresh recommendations out. Times are milliseconds since 1970, UTC.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            _camel(channel.role): {
                "address": topic_names[channel.role],
                "description": channel.summary,
                "messages": {_camel(channel.role): {"$ref": f"#/components/messages/{_camel(channel.role)}"}},
                "bindings": {
                    "kafka": {
                        "topic": topic_names[channel.role],
                        "topicConfiguration": {"cleanup.policy": ["compact" if channel.compacted else "delete"]},
                    }
                },
            }
            for channel in CHANNELS
        },
        "operations": {
            f"{channel.riverrun_action}{_camel(channel.role)[0].upper()}{_camel(channel.role)[1:]}": {
                "action": channel.riverrun_action,
                "channel": {"$ref": f"#/channels/{_camel(channel.role)}"},
                "summary": channel.summary,
            }
            for channel in CHANNELS
        },
        "components": {"messages": messages, "schemas": components},
    }


def settle(node: Any) -> None:
    """Make a schema the same in every process and under every Python."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    for child in children:
        settle(child)
    if isinstance(node, dict) and "anyOf" in node:
        node["anyOf"].sort(key=str)  # msgspec's order differs from process to process
    if isinstance(node, dict) and isinstance(node.get("description"), str):
        # A docstring: Python 3.13 takes its indentation away, 3.12 does not.
        node["description"] = inspect.cleandoc(node["description"])


def _camel(role: str) -> str:
    first, *others = role.split("-")
    return first + "".join(other.capitalize() for other in others)
