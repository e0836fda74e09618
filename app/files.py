"""Files that several processes may write: locked, written under another name, then renamed."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the lock file; a second process waits. The kernel drops the lock of a process that was killed."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def sha256_of(path: Path) -> str:
    """The file's sha256, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Put this into the file, all of it or nothing: whoever reads meanwhile, or after a crash, has the old or the new.

    Of processes that do this at once one would take the other's scratch file away: hold a lock.
    """
    scratch = path.with_name(f".{path.name}.incomplete")
    with scratch.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    scratch.chmod(0o644)  # whatever the umask: another account may read it
    scratch.replace(path)
    sync(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder and the files in it to the disk, so that a rename after this never shows half of them."""
    for path in [*(child for child in folder.iterdir() if child.is_file()), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Bring one file, or the names in one folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
