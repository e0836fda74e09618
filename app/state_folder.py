"""The folder of a process's RocksDB tables: one process at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.errors import SettingsError, StateError

LOCK_FILE: Final = "lock"


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
