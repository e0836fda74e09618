"""Kafka in a container, through testcontainers, where a Docker engine answers.

Everything here takes bounded time: an engine that hangs, a registry that does not answer and an image that does not
start all end in DockerUnusable, and a local Kafka is tried next.
"""

import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from app.errors import KafkaError
from app.kafka.install import Progress

DEFAULT_HOST = "unix:///var/run/docker.sock"
ENGINE_TIMEOUT_S = 5
START_TIMEOUT_S = 60.0
REASON_CHARS = 200


class DockerUnusable(KafkaError):
    """No Kafka in a container to be had here; the message says why, and a local Kafka is tried next."""


@dataclass(frozen=True)
class PullLimits:
    """When to give up a pull: after so long without a word, and after so long in all."""

    silence_s: float = 30.0
    total_s: float = 180.0


DEFAULT_LIMITS = PullLimits()


@contextmanager
def docker_kafka(image: str, on_progress: Progress) -> Iterator[str]:
    """Run the image for the length of the block; gives the address for clients.

    The container ends and is removed with the block, and also with this process however that ends.

    Raises:
        DockerUnusable: no engine answers, the image cannot be had in time, or the container does not start.
    """
    check_engine()
    try:
        from app.kafka.container import KafkaContainer  # noqa: PLC0415 - heavy, and only now needed

        container = KafkaContainer(image)
    except Exception as error:  # docker, requests and testcontainers share no base class
        raise DockerUnusable(f"no Docker engine can be used: {_short(error)}") from error
    try:
        try:
            ensure_image(container.get_docker_client().client, container.image, on_progress)
            on_progress(f"Starting {container.image} in Docker")
            container.start()
            container.wait_until_ready(START_TIMEOUT_S)
        except DockerUnusable:
            raise
        except Exception as error:  # as above; any of them only means: go local
            raise DockerUnusable(f"{container.image} does not start in Docker: {_short(error)}") from error
        yield container.address
    finally:
        try:
            container.stop()
        except Exception as error:  # the work is done, whatever becomes of the container
            on_progress(f"Docker may still have a container; docker rm -f {container.name} ({_short(error)})")


def check_engine() -> None:
    """Ask the engine that testcontainers will use whether it is there.

    Raises:
        DockerUnusable: it is not, or does not answer within 5 s.
    """
    from testcontainers.core.docker_client import get_docker_host  # noqa: PLC0415 - heavy, seldom needed

    host = get_docker_host() or DEFAULT_HOST
    path = host.removeprefix("unix://")
    if path != host:
        _ping_socket(path)
    else:
        _ping(host)


def _ping_socket(path: str) -> None:
    """Without docker-py, which leaves its socket open where nobody answers."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.settimeout(ENGINE_TIMEOUT_S)
        try:
            engine.connect(path)
        except OSError as error:
            why = "no Docker engine answers"
            if isinstance(error, PermissionError):
                why = f"this user may not use the Docker engine at {path}"
            raise DockerUnusable(why) from error
        try:
            engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            answer = engine.recv(64)
        except OSError as error:
            raise DockerUnusable(f"the Docker engine at {path} does not answer within {ENGINE_TIMEOUT_S} s") from error
    status = answer.split(b"\r\n")[0].decode(errors="replace")
    if " 200" not in status:
        raise DockerUnusable(f"the Docker engine at {path} is not well: {status or 'it hung up'}")


def _ping(host: str) -> None:
    """An engine on another machine."""
    import docker  # type: ignore[import-untyped] # noqa: PLC0415 - ships no types; heavy, and seldom needed
    from docker.errors import DockerException  # type: ignore[import-untyped] # noqa: PLC0415 - same

    try:
        client = docker.from_env(
            environment={**os.environ, "DOCKER_HOST": host},  # docker's own variables: TLS, certificates
            timeout=ENGINE_TIMEOUT_S,
            use_ssh_client=host.startswith("ssh://"),
        )
        try:
            client.ping()
        finally:
            client.close()
    except (DockerException, OSError) as error:  # requests' errors are OSErrors
        raise DockerUnusable(f"no Docker engine answers at {host}") from error


def ensure_image(client: Any, image: str, on_progress: Progress, limits: PullLimits = DEFAULT_LIMITS) -> None:
    """Check that the engine has the image, pulled in bounded time if need be.

    Raises:
        DockerUnusable: otherwise.
    """
    from docker.errors import DockerException, ImageNotFound  # noqa: PLC0415 - as above

    try:
        try:
            client.images.get(image)
        except ImageNotFound:
            _pull(client, image, on_progress, limits)
    except (DockerException, OSError) as error:
        raise DockerUnusable(f"Docker has no image {image}: {_short(error)}") from error


def _pull(client: Any, image: str, on_progress: Progress, limits: PullLimits) -> None:
    """Pull until the limits; the engine itself may well go on after them."""
    on_progress(f"Docker pulls {image}")
    deadline, next_report = time.monotonic() + limits.total_s, time.monotonic() + 1
    loaded: dict[str, int] = {}
    for line in _pull_lines(client, image, deadline, limits):
        if "error" in line:
            raise DockerUnusable(f"Docker cannot pull {image}: {line['error']}")
        if line.get("status") == "Downloading":
            loaded[line.get("id", "")] = line.get("progressDetail", {}).get("current", 0)
            if time.monotonic() > next_report:
                next_report = time.monotonic() + 1
                on_progress(f"Docker pulls {image}: {sum(loaded.values()) / 1e6:.0f} MB")


def _pull_lines(client: Any, image: str, deadline: float, limits: PullLimits) -> Iterator[dict[str, Any]]:
    """What the engine tells of a pull. docker-py reads that without any time limit, so a thread of its own does.

    Raises:
        DockerUnusable: the deadline (monotonic seconds) or the time without a word has passed.
    """
    told: queue.Queue[dict[str, Any] | Exception | None] = queue.Queue()
    threading.Thread(target=_read_pull, args=(client, image, told), name="docker-pull", daemon=True).start()
    while True:
        try:
            line = told.get(timeout=max(0.0, min(limits.silence_s, deadline - time.monotonic())))
        except queue.Empty:
            late = time.monotonic() >= deadline
            why = f"not done within {limits.total_s:g} s" if late else f"no word for {limits.silence_s:g} s"
            raise DockerUnusable(f"Docker cannot pull {image}: {why}") from None
        if isinstance(line, Exception):
            raise line
        if line is None:
            return
        yield line


def _read_pull(client: Any, image: str, told: "queue.Queue[dict[str, Any] | Exception | None]") -> None:
    """Hand on every line of the pull's answer, then None; or the exception that ended it."""
    from docker.utils import parse_repository_tag  # type: ignore[import-untyped] # noqa: PLC0415 - as above

    try:
        repository, tag = parse_repository_tag(image)
        for line in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            told.put(line)
    except Exception as error:  # whatever it is, the waiting thread raises it
        told.put(error)
    else:
        told.put(None)


def _short(error: Exception) -> str:
    text = getattr(error, "explanation", None) or str(error)  # the engine's own words, where docker-py has them
    return " ".join(str(text).split())[:REASON_CHARS].rstrip(".") or type(error).__name__
