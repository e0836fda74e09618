"""A peer of `riverrun bench ingest`: a user's newest 50 interactions in plain Faust, one event at a time.

    python faust_per_event.py BOOTSTRAP_SERVERS SOURCE SINK APP_ID STATE_FOLDER PARTITIONS

As its guide shows it: a typed record, a table, an agent, a message per event with the user's new list.
"""

import sys

import faust

_KEPT = 50


class Interaction(faust.Record):
    """What the fold needs of an event."""

    user_id: str
    item_id: str
    type: str
    ts: int


def build(bootstrap_servers: str, source: str, sink: str, app_id: str, state_folder: str, partitions: str) -> faust.App:
    """The application."""
    app = faust.App(
        app_id,
        broker=f"kafka://{bootstrap_servers}",
        store="rocksdb://",
        datadir=state_folder,
        topic_partitions=int(partitions),
        web_enabled=False,
    )
    events = app.topic(source, value_type=Interaction)
    states = app.topic(sink)
    interests = app.Table("interests", default=list, options={"driver": "rocksdict"})

    @app.agent(events)
    async def fold(stream: faust.StreamT[Interaction]) -> None:
        async for event in stream:
            history = [*interests[event.user_id], [event.item_id, event.type, event.ts]][-_KEPT:]
            interests[event.user_id] = history
            await states.send(key=event.user_id, value=history)

    return app


if __name__ == "__main__":
    faust.Worker(build(*sys.argv[1:]), loglevel="warning").execute_from_commandline()
