"""Apache Kafka in the cache folder: its jars and a formatted, empty log folder to copy.

    <cache>/kafka/<version>/jars/*.jar
    <cache>/kafka/<version>/formatted/      what `kafka-storage format` writes; saves a JVM start each time
    <cache>/kafka/<version>/complete.json   file name -> bytes; written last

A killed download leaves no marker; the next start keeps what is whole and fetches the rest.
"""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.errors import KafkaStartFailed
from app.kafka import broker_config, maven
from app.kafka.java import Java

_TELL_EVERY = 12  # jars

Progress = Callable[[str], None]
"""Takes a short line about what is going on now; called a few times a second at most."""

MIN_FREE_BYTES = 256 * 1024**2
CONNECTIONS = 6
FORMAT_TIMEOUT_S = 120.0
MARKER = "complete.json"


@dataclass(frozen=True)
class KafkaInstall:
    """A complete Apache Kafka on this machine."""

    version: str
    jars: Path
    formatted: Path

    @property
    def class_path(self) -> str:
        """All jars: jgo's split into class path and module path does not run."""
        return str(self.jars / "*")


def install_kafka(cache_dir: Path, version: str, java: Java, on_progress: Progress) -> KafkaInstall:
    """Give the Apache Kafka of the cache, completed first where something is missing; safe against a second caller.

    Raises:
        KafkaStartFailed: no network, no space, no right to write, no such version.
    """
    home = cache_dir / "kafka" / version
    install = KafkaInstall(version, home / "jars", home / "formatted")
    if _is_complete(home):
        return install
    try:
        home.mkdir(parents=True, exist_ok=True)
        check_space(home)
        with _lock(home / "lock", on_progress):
            if not _is_complete(home):
                _complete(install, home, java, on_progress)
    except OSError as error:
        raise KafkaStartFailed(
            f"Cannot write Apache Kafka to {home}: {error.strerror or error}.",
            hint="Set RIVERRUN_CACHE_DIR to a folder that you may write to and that has 0.3 GB free.",
        ) from error
    return install


def free_bytes(folder: Path) -> int:
    """What is free on the folder's disk."""
    return shutil.disk_usage(folder).free


def check_space(folder: Path, free_of: Callable[[Path], int] = free_bytes) -> None:
    """Refuse a folder on a full disk.

    Raises:
        KafkaStartFailed: less than 256 MB are free.
    """
    free = free_of(folder)
    if free < MIN_FREE_BYTES:
        raise KafkaStartFailed(
            f"No disk space for a local Kafka: {free // 1024**2} MB free at {folder}, "
            f"{MIN_FREE_BYTES // 1024**2} MB wanted.",
            hint="Free some, or set RIVERRUN_CACHE_DIR (downloads) or TMPDIR (data) to another disk.",
        )


def _is_complete(home: Path) -> bool:
    try:
        sizes: dict[str, int] = json.loads((home / MARKER).read_text())
        return all((home / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


@contextmanager
def _lock(path: Path, on_progress: Progress) -> Iterator[None]:
    """Hold the file's lock; the kernel drops it with the process that holds it."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress("Waiting for another process that fetches Apache Kafka")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _complete(install: KafkaInstall, home: Path, java: Java, on_progress: Progress) -> None:
    """Fetch what is missing, format, and write the marker last; the caller holds the lock."""
    (home / MARKER).unlink(missing_ok=True)
    for leftover in home.glob("scratch-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    install.jars.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=home) as scratch:
        jars = maven.jars_of(install.version, Path(scratch))
        _fetch_missing(jars, Path(scratch), install, on_progress)
        on_progress(f"Apache Kafka {install.version}: formatting an empty log")
        _format(install, Path(scratch), java)
    files = [*(install.jars / jar.file_name for jar in jars), *install.formatted.iterdir()]
    sizes = {str(file.relative_to(home)): file.stat().st_size for file in files}
    marker = home / f"{MARKER}.new"
    with marker.open("w") as file:
        json.dump(sizes, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    marker.replace(home / MARKER)


def _fetch_missing(jars: tuple[maven.Jar, ...], scratch: Path, install: KafkaInstall, on_progress: Progress) -> None:
    wanted = {jar.file_name for jar in jars}
    for stale in install.jars.iterdir():  # all jars of the folder are on the class path
        if stale.name not in wanted:
            stale.unlink()
    missing = [jar for jar in jars if not (path := install.jars / jar.file_name).exists() or maven.damage(path, jar)]
    done, size = len(jars) - len(missing), 0
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="maven") as pool:
        running = [pool.submit(maven.fetch, jar, scratch, install.jars) for jar in missing]
        try:
            for future in as_completed(running):
                size += future.result()
                done += 1
                if done % _TELL_EVERY == 0 or done == len(jars):
                    on_progress(f"Apache Kafka {install.version}: {done} of {len(jars)} jars, {size / 1e6:.0f} MB")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _format(install: KafkaInstall, scratch: Path, java: Java) -> None:
    """Let Kafka's own tool write an empty log folder; it is at the same time the proof that jars and Java fit."""
    log_dir = scratch / "formatted"
    properties, log4j = scratch / "server.properties", scratch / "log4j2.properties"
    properties.write_text(broker_config.server_properties(log_dir, broker_config.Ports(9092, 9093)))
    log4j.write_text(broker_config.LOG4J)
    tool = ["kafka.tools.StorageTool", "format", "-t", broker_config.new_id(), "-c", str(properties)]
    command = broker_config.java_command(java, install.class_path, scratch / "format.log", log4j, tool)
    try:
        ran = subprocess.run(  # noqa: S603 - a Java that was found and jars that were checked
            command, capture_output=True, text=True, timeout=FORMAT_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise KafkaStartFailed(
            f"Apache Kafka's format tool did not end within {FORMAT_TIMEOUT_S:.0f} s.", hint="Start again."
        ) from error
    if ran.returncode != 0:
        lines = (ran.stdout + ran.stderr).strip().splitlines()
        raise KafkaStartFailed(
            f"{java} cannot run Apache Kafka {install.version}: {lines[-1] if lines else ran.returncode}.",
            hint="Try another Java (JAVA_HOME), or another RIVERRUN_KAFKA__VERSION.",
        )
    shutil.rmtree(install.formatted, ignore_errors=True)
    log_dir.replace(install.formatted)
