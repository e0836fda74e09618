"""The folder of a process's RocksDB tables: one process at a time, and nothing in it that is out of date."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.errors import SettingsError, StateError

LOCK_FILE: Final = "lock"
_CONDEMNED: Final = ".gone"

MAX_UNREAD_MS: Final = 43_200_000
"""What was not read on for so long is read from the beginning of its topic: whoever missed a tombstone would keep a
forgotten user. Half of a tombstone's life (delete.retention.ms in infra/kafka/topics.yml)."""


@contextmanager
def claimed_folder(folder: Path, setting: str) -> Iterator[Path]:
    """Make the folder and keep other processes out of it; the kernel frees it when this process ends, however it does.

    Raises:
        StateError: another process uses it.
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
                f"Another process uses the state folder {folder}.", hint=f"Give each process its own: set {setting}."
            ) from error
        yield folder


def remove_folder(folder: Path) -> None:
    """Rename it first: half a database under its old name would be opened by the next start."""
    condemned = folder.with_suffix(_CONDEMNED)
    if condemned != folder:
        if condemned.exists():
            shutil.rmtree(condemned)
        folder.rename(condemned)
    shutil.rmtree(condemned)
