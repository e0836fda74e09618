"""One Kafka container whose life hangs on its standard input. Importing this takes 0.3 s: do it when needed.

The container's first process reads the address for clients from its standard input, starts Kafka, and then waits for
the end of that input. This process holds the other end, so the kernel and the engine end the container with it however
it ends, kill -9 included, and the engine removes it (`auto_remove`). Hence no reaper (Ryuk): that is one more image to
have, and it wants the engine's socket for itself.

Killed while the engine creates the container, before its start, this process leaves one that never ran: no reaper
removes it, `docker rm` does (its name starts with `riverrun-kafka-`).
"""

import contextlib
import os
import time
import uuid
import weakref
from typing import Any

from docker.errors import APIError  # type: ignore[import-untyped] # docker ships no types
from testcontainers.core.container import DockerContainer

from app.kafka.access import KafkaAccess
from app.kafka.broker_config import HEAP, SHARED_SETTINGS, new_id
from app.kafka.probe import probe

CLIENT_PORT = 9093
CALL_TIMEOUT_S = 45  # to create a container takes 5 s where the engine copies the image (storage driver vfs)
PROBE_TIMEOUT_S = 2.0
POLL_S = 0.1
ENDED = "riverrun: Kafka has ended, exit code"
LAST_LINES = 40
# /dev/null keeps Kafka's scripts from reading our input. Process 1 is this `sh`: with it all others end.
SCRIPT = f"""
read -r address || exit 1
export KAFKA_ADVERTISED_LISTENERS="CLIENTS://$address,BROKER://localhost:9092"
{{ /etc/kafka/docker/run </dev/null; echo "{ENDED} $?"; }} 2>&1 &
cat >/dev/null
"""


class ContainerFailed(Exception):
    """The container runs, but Kafka in it does not; the message says why."""


class KafkaContainer(DockerContainer):
    """An image of the Apache project (`apache/kafka`) as a broker that is its own controller.

    Call `start`, `wait_until_ready`, and always `stop`.

    Args:
        image: its name; testcontainers may put its configured registry before it (`self.image`).
    """

    def __init__(self, image: str) -> None:
        super().__init__(image, docker_client_kw={"timeout": CALL_TIMEOUT_S})
        self.name = f"riverrun-kafka-{uuid.uuid4().hex[:12]}"
        self.address = ""
        self._input: Any = None

    def start(self) -> "KafkaContainer":
        """Create and start the container, and tell it the address that the engine gave it."""
        client = self.get_docker_client()
        self._container = client.create(
            self.image,
            command=["sh", "-c", SCRIPT],
            environment=_environment(),
            ports={str(CLIENT_PORT): None},
            name=self.name,
            stdin_open=True,
            auto_remove=True,
            stop_signal="SIGKILL",  # process 1 of a container ignores the others
        )
        self._input = client.client.api.attach_socket(self._container.id, params={"stdin": 1, "stream": 1})
        _close_in_forked_children(_socket_of(self._input))
        client.start(self._container)
        self.address = f"{self.get_container_host_ip()}:{self._get_exposed_port(CLIENT_PORT)}"
        _socket_of(self._input).sendall(f"{self.address}\n".encode())
        return self

    def wait_until_ready(self, timeout_s: float) -> None:
        """Return when Kafka answers.

        Raises:
            ContainerFailed: it has ended, or does not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while not (answer := probe(KafkaAccess(self.address), PROBE_TIMEOUT_S)).ok:
            log = self.get_wrapped_container().logs(tail=LAST_LINES).decode(errors="replace")
            if ENDED in log:
                raise ContainerFailed(_reason(log))
            if time.monotonic() > deadline:
                raise ContainerFailed(f"{answer.why} within {timeout_s:.0f} s")
            time.sleep(POLL_S)

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Remove the container, also one that the engine made after the call for it had timed out."""
        client = self.get_docker_client().client
        try:
            with contextlib.suppress(APIError):  # not there, or the engine is removing it already
                client.api.remove_container(self.name, force=force, v=delete_volume)
        finally:
            if self._input is not None:
                _close(self._input)
            client.close()


def _environment() -> dict[str, str]:
    """The image's start script makes `server.properties` of every KAFKA_ variable."""
    listeners = {"CLIENTS": CLIENT_PORT, "BROKER": 9092, "CONTROLLER": 9094}
    properties = {
        **SHARED_SETTINGS,
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@localhost:{listeners['CONTROLLER']}",
        "listeners": ",".join(f"{name}://0.0.0.0:{port}" for name, port in listeners.items()),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
    }
    variables = {"KAFKA_" + name.replace(".", "_").upper(): str(value) for name, value in properties.items()}
    return {**variables, "CLUSTER_ID": new_id(), "KAFKA_HEAP_OPTS": f"-Xmx{HEAP}"}


def _socket_of(stream: Any) -> Any:
    """What docker-py gives for a local engine is a read-only file around the socket."""
    return getattr(stream, "_sock", stream)


def _close_in_forked_children(connection: Any) -> None:
    """Keep a child that lives longer than this process from keeping the container alive."""
    held = weakref.ref(connection)

    def close() -> None:
        kept = held()
        if kept is not None and kept.fileno() >= 0:
            os.close(kept.detach())

    os.register_at_fork(after_in_child=close)


def _close(stream: Any) -> None:
    """Close all three layers of docker-py's stream, from the outside in."""
    response, socket = getattr(stream, "_response", None), _socket_of(stream)
    if response is not None:
        response.close()
    stream.close()
    socket.close()


def _reason(log: str) -> str:
    """The exit code, and the last line that tells of an exception, or else the last of all."""
    told, _, code = log.rpartition(ENDED)
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    causes = [line for line in lines if "Exception" in line and not line.startswith("at ")]
    last = (causes or lines or ["no word from it"])[-1]
    return f"Kafka in it ended with exit code {code.strip()}: {last}"
