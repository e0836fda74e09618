"""A peer of `riverrun bench ingest`: a user's newest 50 interactions in Quix Streams, written as its guide shows.

    python quix_fold.py BOOTSTRAP_SERVERS SOURCE SINK GROUP STATE_FOLDER

One output record per event, holding the user's new list. JSON in, JSON out, RocksDB state with a changelog topic; its
producer's defaults await all acknowledgements at every checkpoint.
"""

import sys
from typing import Any

from quixstreams import Application, State

_KEPT = 50


def fold(event: dict[str, Any], state: State[str, Any]) -> list[list[Any]]:
    """Append the event to its user's list."""
    history: list[list[Any]] = state.get("interactions", [])
    history.append([event["item_id"], event["type"], event["ts"]])
    history = history[-_KEPT:]
    state.set("interactions", history)
    return history


def main(bootstrap_servers: str, source: str, sink: str, group: str, state_folder: str) -> None:
    """Run until SIGTERM."""
    app = Application(
        bootstrap_servers,
        consumer_group=group,
        auto_offset_reset="earliest",
        state_dir=state_folder,
        loglevel="WARNING",
    )
    events = app.dataframe(app.topic(source, value_deserializer="json"))
    events.apply(fold, stateful=True).to_topic(app.topic(sink, value_serializer="json"))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
