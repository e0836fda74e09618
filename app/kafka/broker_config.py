"""What a local one-node Kafka is told: its properties, its logging and its Java command line."""

import base64
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from app.kafka.java import Java

HOST = "127.0.0.1"
HEAP = "512m"
META = "meta.properties"
LOG4J = """\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = ${sys:riverrun.kafka.log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""

SHARED_SETTINGS: Mapping[str, str | int] = {
    "auto.create.topics.enable": "false",
    # One node.
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # A few groups: 50 partitions each (the default) take seconds to make.
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 4,
    # Groups start and change at once; tests replace a dead member fast.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    # A broker that was killed may register again only after this (the default makes it wait 9 s).
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
}
"""What a Kafka of one node is told wherever it runs, here or in a container."""


@dataclass(frozen=True)
class Ports:
    """Where the broker and its controller listen, both on the loopback address."""

    broker: int
    controller: int

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self.broker}"


def server_properties(log_dir: Path, ports: Ports, otherwise: Mapping[str, str | int] = MappingProxyType({})) -> str:
    """`server.properties` of a broker that is its own controller; `otherwise` are settings in place of these."""
    listeners = f"PLAINTEXT://{HOST}:{ports.broker}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{ports.controller}",
        "listeners": f"{listeners},CONTROLLER://{HOST}:{ports.controller}",
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": log_dir,
        **SHARED_SETTINGS,
        **otherwise,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def java_command(java: Java, class_path: str, log: Path, log4j: Path, arguments: list[str]) -> list[str]:
    """The command that runs one of Kafka's main classes; its log goes to `log`."""
    return [
        str(java.path),
        f"-Xmx{HEAP}",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # its file in /tmp would outlive a kill
        f"-Driverrun.kafka.log={log}",
        f"-Dlog4j2.configurationFile={log4j}",
        "-cp",
        class_path,
        *arguments,
    ]


def new_id() -> str:
    """A cluster or folder id as Kafka writes it: a random UUID in 22 characters, the first no dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]).startswith("-"):
        pass
    return text


def prepare_log_dir(log_dir: Path, formatted: Path) -> None:
    """Make an empty log folder of a new cluster out of the formatted one; one in use stays as it is."""
    if (log_dir / META).exists():
        return
    log_dir.mkdir(parents=True, exist_ok=True)
    for file in formatted.iterdir():
        if file.name != META:
            (log_dir / file.name).write_bytes(file.read_bytes())
    lines = (formatted / META).read_text().splitlines()
    fresh = {"cluster.id": new_id(), "directory.id": new_id()}
    kept = [line for line in lines if line.partition("=")[0] not in fresh]
    part = log_dir / f"{META}.new"
    part.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in fresh.items()), ""]))
    os.replace(part, log_dir / META)  # last: this file says that the folder is formatted
