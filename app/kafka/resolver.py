"""Which Kafka this run uses: the configured one, one in Docker, or a local one.

Knows nothing of topics. `Backends` exists so that tests can say what answers and what does not.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from app.kafka.access import KafkaAccess, access_of
from app.kafka.docker import DockerUnusable, docker_kafka
from app.kafka.install import Progress
from app.kafka.local import LocalKafka, local_kafka
from app.kafka.probe import PATIENCE_S, Probe, no_good, probe
from app.settings import Settings

VARIABLE = "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS"

Kind = Literal["configured", "docker", "local"]


@dataclass(frozen=True)
class ResolvedKafka:
    """A Kafka that answers, which kind it is, and in one sentence why it was taken."""

    access: KafkaAccess
    kind: Kind
    why: str


@dataclass(frozen=True)
class Backends:
    """The three ways to a Kafka; `docker` raises DockerUnusable where there is none."""

    probe: Probe = probe
    docker: Callable[[str, Progress], AbstractContextManager[str]] = docker_kafka
    local: Callable[[Settings, Progress], AbstractContextManager[LocalKafka]] = local_kafka


@contextmanager
def resolve_kafka(
    settings: Settings, on_progress: Progress, backends: Backends | None = None
) -> Iterator[ResolvedKafka]:
    """Find or start a Kafka for the length of the block; one that was started ends with it.

    Raises:
        SettingsError: what is configured cannot be used.
        KafkaUnreachable: an address is configured, and nothing there answers, or lets us in, within 5 s.
        KafkaStartFailed: none is configured, Docker has none, and the local one does not start.
    """
    ways = backends or Backends()
    if settings.kafka.bootstrap_servers:
        yield _configured(access_of(settings.kafka), ways.probe)
        return
    with ExitStack() as running:
        try:
            address = running.enter_context(ways.docker(settings.kafka.image, on_progress))
        except DockerUnusable as error:
            kafka = running.enter_context(ways.local(settings, on_progress))
            why = f"local Apache Kafka {kafka.version} on {kafka.java}: {error.what}"
            found = ResolvedKafka(kafka.access, "local", why)
        else:
            why = f"{settings.kafka.image} in Docker: no {VARIABLE}, and a Docker engine answers"
            found = ResolvedKafka(KafkaAccess(address), "docker", why)
        yield found


def _configured(access: KafkaAccess, ask: Probe) -> ResolvedKafka:
    answer = ask(access, PATIENCE_S)
    if not answer.ok:
        raise no_good(access, answer)
    return ResolvedKafka(access, "configured", f"Kafka at {access.bootstrap_servers}: {VARIABLE} says so")
