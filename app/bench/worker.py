"""A `riverrun agents` worker under measurement."""

from collections.abc import Mapping
from pathlib import Path

from app.kafka.access import KafkaAccess
from app.processes.service import Launch, Service, free_port


def agents_worker(
    access: KafkaAccess, prefix: str, state_dir: Path, environment: Mapping[str, str] | None = None
) -> Service:
    """A worker whose `state_dir` outlives it. `environment`: settings beside this process's own."""
    port = free_port()
    options = ("--topic-prefix", prefix, "--state-dir", str(state_dir), "--metrics-port", str(port))
    own = {**access.environment(), **(environment or {})}
    return Service(Launch("agents", lambda _own: options, own, port))
