"""The folder of a worker's RocksDB tables: one worker at a time, and only for the topics it was made from.

State carries offsets of the events topic. A topic that was deleted and made again starts at offset 0: every event
would look as if it had been applied. Kafka gives each topic an id, so the folder remembers the ids.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.errors import SettingsError, StateError

IDS_FILE: Final = "topic-ids.json"
LOCK_FILE: Final = "lock"


@contextmanager
def claimed_folder(folder: Path, setting: str) -> Iterator[Path]:
    """Make the folder and keep other workers out of it; the kernel frees it when this process ends, however it does.

    Raises:
        StateError: another worker uses it.
        SettingsError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("a+")
    except OSError as error:
        raise SettingsError(
            f"The state folder {folder} cannot be used: {error.strerror}.", hint=f"Set {setting} to another one."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                f"Another worker uses the state folder {folder}.", hint=f"Give each worker its own: set {setting}."
            ) from error
        yield folder


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
                hint="Its offsets began anew. Stop all agents; delete both topics (events, changelog) "
                f"and every state folder like {folder}; run `riverrun topics apply`; start again.",
            )
    merged = known | dict(ids)
    if merged != known:
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps(merged, indent=2))
        os.replace(temporary, file)
