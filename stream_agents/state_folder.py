"""The folder of a worker's RocksDB tables is only for the topics that it was made from.

State carries offsets of the events topic. A topic that was deleted and made again starts at offset 0: every event
would look as if it had been applied. Kafka gives each topic an id, so the folder remembers the ids.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.errors import StateError

IDS_FILE: Final = "topic-ids.json"
START_OVER: Final = (
    "Its offsets began anew, and whatever was worked out from the old ones must go (docs/operations.md, Events made "
    "anew): stop agents, model servers and gateways; delete the topics interests-changelog (its whole name is in "
    "`riverrun topics list`), score-requests and recommendations, and every state folder of the agents; run "
    "`riverrun topics apply`; start again."
)


def check_topic_ids(folder: Path, ids: Mapping[str, str]) -> None:
    """Compare the topics' ids with the remembered ones; remember them when the folder is new.

    Args:
        folder: the claimed state folder.
        ids: topic name -> Kafka's id of it.

    Raises:
        StateError: a topic was deleted and made again since.
    """
    file = folder / IDS_FILE
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    for topic, topic_id in ids.items():
        if known.get(topic, topic_id) != topic_id:
            raise StateError(
                f"The topic {topic} was deleted and made again since the state in {folder} was built.",
                hint=START_OVER,
            )
    merged = known | dict(ids)
    if merged != known:
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps(merged, indent=2))
        os.replace(temporary, file)
