"""Which jars an Apache Kafka is made of, and how they come from Maven Central (through jgo).

The jars of the version we ship with are listed beside this file with their SHA-256; those of another version
are worked out from its POMs, and only their archive checksums are looked at.
"""

import hashlib
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.errors import KafkaStartFailed

LOG4J_VERSION = "2.24.3"
SOCKET_TIMEOUT_S = 20
ATTEMPTS = 3


@dataclass(frozen=True)
class Jar:
    """One artifact on Maven Central; without a `sha256` it is known from POMs only."""

    group: str
    artifact: str
    version: str
    sha256: str = ""

    @property
    def file_name(self) -> str:
        """Its name in the folder of jars."""
        return f"{self.artifact}-{self.version}.jar"


def jars_of(version: str, scratch: Path) -> tuple[Jar, ...]:
    """Every jar of this Apache Kafka; `scratch` takes the POMs, where they are needed.

    Raises:
        KafkaStartFailed: there is no such version, or Maven Central cannot be reached.
    """
    listed = Path(__file__).with_name(f"jars-{version}.sha256")
    return parse_list(listed.read_text()) if listed.exists() else _jars_from_poms(version, scratch)


def parse_list(text: str) -> tuple[Jar, ...]:
    """Lines of `sha256 group:artifact:version`."""
    jars = []
    for line in text.splitlines():
        sha256, coordinate = line.split()
        group, artifact, version = coordinate.split(":")
        jars.append(Jar(group, artifact, version, sha256))
    return tuple(jars)


def fetch(jar: Jar, scratch: Path, destination: Path) -> int:
    """Download one jar, check it, and put it into `destination` in one step; gives its bytes.

    Raises:
        KafkaStartFailed: it cannot be fetched, or is not what the list says.
    """
    problem = ""
    for attempt in range(ATTEMPTS):
        folder = scratch / f"{jar.artifact}-{attempt}"
        try:
            artifact = _context(folder).project(jar.group, jar.artifact).at_version(jar.version).artifact()
            path: Path = artifact.resolve()
            problem = damage(path, jar)
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors, jgo's own RuntimeErrors
            problem = _short(error)
            continue
        if not problem:
            size = path.stat().st_size
            path.replace(destination / jar.file_name)
            return size
    raise KafkaStartFailed(
        f"Cannot fetch {jar.file_name} from Maven Central: {problem}.",
        hint="A local Kafka needs the network once (a proxy goes into HTTPS_PROXY); without one set "
        "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS to a Kafka that runs.",
    )


def damage(path: Path, jar: Jar) -> str:
    """What is wrong with this file; empty if it is the jar."""
    if jar.sha256:
        with path.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
        return "" if got == jar.sha256 else f"its SHA-256 is {got}, not {jar.sha256}"
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        return str(error)
    return f"{bad} in it is damaged" if bad else ""


def _jars_from_poms(version: str, scratch: Path) -> tuple[Jar, ...]:
    from jgo.parse import Endpoint  # noqa: PLC0415 - heavy, and only a first start needs it

    # "!": jgo would take log4j's POM for a bill of materials, and with it kafka-clients 3.8.
    coordinates = (
        f"org.apache.kafka:kafka_2.13:{version}!"
        f"+org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J_VERSION}!"
        f"+org.apache.logging.log4j:log4j-core:{LOG4J_VERSION}!"
    )
    context = _context(scratch / "poms")
    try:
        wanted = [
            context.create_dependency(replace(coordinate, scope="compile"))
            for coordinate in Endpoint.parse(coordinates).coordinates
        ]
        direct, transitive = context.resolver.resolve(wanted)
    except (OSError, RuntimeError, ValueError) as error:
        raise KafkaStartFailed(
            f"Cannot find out the jars of Apache Kafka {version} on Maven Central: {_short(error)}.",
            hint="Check RIVERRUN_KAFKA__VERSION and the network (a proxy goes into HTTPS_PROXY).",
        ) from error
    artifacts = [item.artifact for item in (*direct, *transitive) if item.scope in ("compile", "runtime")]
    return tuple(Jar(artifact.groupId, artifact.artifactId, artifact.version) for artifact in artifacts)


def _context(repository: Path) -> Any:
    # jgo ships no types. Each download has a repository of its own: jgo takes a half-written file for a whole one.
    from jgo.maven import MavenContext  # noqa: PLC0415 - heavy, and only a first start needs it

    return MavenContext(repo_cache=repository, timeout=SOCKET_TIMEOUT_S)


def _short(error: Exception) -> str:
    """The innermost reason, on one line: urllib3 wraps its errors four deep."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return " ".join(str(cause).split())[:200] or type(error).__name__
