"""The peer on the JVM, made ready to run: jars fetched and checked, one Java file compiled. Needs a JDK."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.errors import ProcessFailed
from app.kafka.install import Progress, install_kafka
from app.kafka.java import find_java
from app.kafka.maven import Jar, damage, fetch

KAFKA_VERSION: Final = "4.1.0"
_MAIN_CLASS: Final = "KafkaStreamsFold"
_COMPILE_TIMEOUT_S: Final = 120.0

# Beside Apache Kafka's own jars; the RocksDB is the one that kafka-streams' POM names.
STREAMS_JARS: Final = (
    Jar(
        "org.apache.kafka",
        "kafka-streams",
        KAFKA_VERSION,
        "3e275e8a224035b7dab6344eef518fc125f6f17f3ac191b16d5ef5b55dada0a6",
    ),
    Jar("org.rocksdb", "rocksdbjni", "9.7.3", "5ca63e0e955f101f7af1c1fb8ce260b5d3a5701cea7d8c2852b9d56031a57221"),
)


@dataclass(frozen=True, slots=True)
class JavaPeer:
    """A compiled peer: the command that runs it (its arguments follow)."""

    command: tuple[str, ...]
    version: str = KAFKA_VERSION


def find_javac(environment: Mapping[str, str]) -> Path | None:
    """The compiler of JAVA_HOME or of the PATH; None where there is no JDK."""
    home = environment.get("JAVA_HOME")
    if home and (compiler := Path(home) / "bin" / "javac").exists():
        return compiler
    found = shutil.which("javac", path=environment.get("PATH", ""))
    return Path(found) if found else None


def java_peer(
    source: Path, classes: Path, cache_dir: Path, on_progress: Progress, environment: Mapping[str, str] = os.environ
) -> JavaPeer | None:
    """Compile `source` into `classes`; None where there is no JDK.

    Raises:
        KafkaStartFailed: the jars cannot be fetched.
        ProcessFailed: it does not compile.
    """
    compiler = find_javac(environment)
    if compiler is None:
        return None
    java = compiler.resolve().with_name("java")  # what was compiled by one Java may be too new for another
    kafka = install_kafka(cache_dir, KAFKA_VERSION, find_java(environment), on_progress)
    jars = _streams_jars(cache_dir / "kafka-streams" / KAFKA_VERSION, on_progress)
    class_path = os.pathsep.join([kafka.class_path, str(jars / "*")])
    _run([str(compiler), "-cp", class_path, "-d", str(classes), str(source)])
    # Its log is for somebody who looks for a fault, and goes to its output.
    return JavaPeer((str(java), "-cp", os.pathsep.join([class_path, str(classes)]), _MAIN_CLASS))


def _streams_jars(folder: Path, on_progress: Progress) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for jar in STREAMS_JARS:
        path = folder / jar.file_name
        if not path.exists() or damage(path, jar):
            on_progress(f"Kafka Streams {KAFKA_VERSION}: fetching {jar.file_name}")
            with tempfile.TemporaryDirectory(prefix="scratch-", dir=folder) as scratch:
                fetch(jar, Path(scratch), folder)
    return folder


def _run(command: list[str]) -> None:
    ran = subprocess.run(  # noqa: S603 - the JDK that the user has installed, and our own file
        command, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S, check=False
    )
    if ran.returncode:
        raise ProcessFailed(f"The Kafka Streams peer does not compile: {ran.stderr.strip()[-1_000:]}")
