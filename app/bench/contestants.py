"""Who takes part in `riverrun bench ingest`: how each is started, what it is called in Kafka, what its output says.

All do the same work on the same topics: decode a JSON event, keep its user's newest 50 interactions in RocksDB with a
changelog, send the new list on, all acknowledgements (acks=all) awaited before offsets are committed. The peers send a
record per event; riverrun one per user and batch (its output per event is measured, too). What riverrun does beside
that - validation, dead letters, recognition of events sent twice, the fence - the peers are not asked to do.
"""

import json
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from app.bench.java_peer import JavaPeer
from app.interests.state import decode_state
from app.kafka.access import KafkaAccess
from app.processes.python import module

KEPT: Final = 50
STREAM_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class Interaction:
    """One thing a user did, in nobody's own format."""

    item_id: str
    kind: str
    ts_ms: int


@dataclass(frozen=True, slots=True)
class Course:
    """Where a race is run."""

    access: KafkaAccess
    prefix: str
    events: str
    output: str
    partitions: int
    scratch: Path

    @property
    def plain_address(self) -> str:
        """Kafka's, for the peers, which know no more.

        Raises:
            KafkaRefused: it wants TLS or a login.
        """
        return self.access.plain_address("A peer of `riverrun bench`")


@dataclass(frozen=True, slots=True)
class Contestant:
    """One stream processor.

    Attributes:
        title: for people.
        group: its consumer group.
        changelog: the topic of its state's changelog.
        command: starts it.
        read: the interactions in an output value.
        covered: how many of its partition's events an output speaks for, from its place in the output and its value.
    """

    title: str
    group: Callable[[Course], str]
    changelog: Callable[[Course], str]
    command: Callable[[Course], list[str]]
    read: Callable[[bytes], list[Interaction]]
    covered: Callable[[int, bytes], int] = lambda place, _value: place + 1
    environment: Callable[[Course], Mapping[str, str]] = field(default=lambda _course: {})


def riverrun(processes: int = 1) -> Contestant:
    """`riverrun agents` with so many workers under the one command."""
    return Contestant(
        title=f"riverrun agents, {processes} {'process' if processes == 1 else 'processes'}",
        group=lambda course: f"{course.prefix}riverrun-agents",
        changelog=lambda course: f"{course.prefix}riverrun-agents-interests-changelog",
        command=lambda course: [
            *module("app.cli.main", "agents", "--topic-prefix", course.prefix),
            *("--state-dir", str(course.scratch / "state"), "--metrics-port", "0", "--processes", str(processes)),
        ],
        environment=lambda course: course.access.environment(),
        read=_read_riverrun,
        covered=lambda _place, value: decode_state(value).state_version + 1,
    )


def quix_streams() -> Contestant:
    """Quix Streams; needs the dependency group `bench`."""
    return Contestant(
        title="Quix Streams",
        group=lambda course: f"{course.prefix}quix",
        changelog=lambda course: f"changelog__{course.prefix}quix--{course.events}--default",
        command=lambda course: [
            *(sys.executable, str(peers_folder() / "quix_fold.py"), course.plain_address, course.events),
            *(course.output, f"{course.prefix}quix", str(course.scratch / "state")),
        ],
        read=_read_json,
    )


def kafka_streams(peer: JavaPeer) -> Contestant:
    """Kafka Streams on the JVM, two stream threads."""
    return Contestant(
        title=f"Kafka Streams {peer.version}, {STREAM_THREADS} threads",
        group=lambda course: f"{course.prefix}streams",
        changelog=lambda course: f"{course.prefix}streams-interests-changelog",
        command=lambda course: [
            *(*peer.command, course.plain_address, course.events, course.output),
            *(f"{course.prefix}streams", str(course.scratch / "state"), str(STREAM_THREADS)),
        ],
        read=_read_java,
    )


def faust_per_event() -> Contestant:
    """Plain Faust, one event at a time."""
    return Contestant(
        title="Faust, per event",
        group=lambda course: f"{course.prefix}faust",
        changelog=lambda course: f"{course.prefix}faust-interests-changelog",
        command=lambda course: [
            *(sys.executable, str(peers_folder() / "faust_per_event.py"), course.plain_address, course.events),
            *(course.output, f"{course.prefix}faust", str(course.scratch / "state"), str(course.partitions)),
        ],
        read=_read_json,
    )


def peers_folder() -> Path:
    """Where the peers' programs are: beside this module in a wheel, under infra/ in a checkout."""
    here = Path(__file__)
    packaged = here.with_name("peers")
    return packaged if packaged.exists() else here.parents[2] / "infra" / "bench"


def _read_riverrun(value: bytes) -> list[Interaction]:
    newest = decode_state(value).interactions()[-KEPT:]  # some more gather before the surplus leaves
    return [Interaction(each.item_id, each.kind.name.lower(), each.ts_ms) for each in newest]


def _read_json(value: bytes) -> list[Interaction]:
    history: list[list[Any]] = json.loads(value)
    return [Interaction(*each) for each in history]


def _read_java(value: bytes) -> list[Interaction]:
    history: list[Interaction] = []
    place = 0

    def text() -> str:
        nonlocal place
        (length,) = struct.unpack_from(">h", value, place)
        place += 2 + length
        return value[place - length : place].decode()

    while place < len(value):
        item_id, kind = text(), text()
        (ts_ms,) = struct.unpack_from(">q", value, place)
        place += 8
        history.append(Interaction(item_id, kind, ts_ms))
    return history
