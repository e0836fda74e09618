"""Which Docker engine counts as one that answers, and when a pull is given up."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound  # type: ignore[import-untyped] # docker ships no types

from app.kafka import docker
from app.kafka.docker import DockerUnusable, PullLimits, check_engine, docker_kafka, ensure_image

IMAGE = "apache/kafka:4.1.0"


def quiet(_: str) -> None: ...


@contextmanager
def engine(path: Path, answer: bytes | None) -> Iterator[None]:
    """Something that listens where an engine would; None takes the connection and never says a word."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer or b"")

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the engine of this machine is said to listen."""
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return path


def test_an_engine_that_answers_its_ping_counts(path: Path) -> None:
    with engine(path, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nOK"):
        check_engine()


def test_no_socket_is_no_engine(path: Path) -> None:
    with pytest.raises(DockerUnusable, match="no Docker engine answers"):
        check_engine()


def test_a_socket_that_nobody_serves_is_no_engine(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    with pytest.raises(DockerUnusable, match="no Docker engine answers"):
        check_engine()


def test_an_engine_that_hangs_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "ENGINE_TIMEOUT_S", 0.2)
    with (
        engine(path, None),
        pytest.raises(DockerUnusable, match=r"docker\.sock does not answer within 0\.2 s"),
        docker_kafka(IMAGE, quiet),
    ):
        pass


@pytest.mark.parametrize(
    ("answer", "why"),
    [(b"HTTP/1.0 503 Service Unavailable\r\n\r\n", "503 Service Unavailable"), (b"", "hung up")],
)
def test_an_engine_that_is_not_well_says_so(path: Path, answer: bytes, why: str) -> None:
    with engine(path, answer), pytest.raises(DockerUnusable, match=why):
        check_engine()


def test_an_engine_on_another_machine_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(DockerUnusable, match=r"no Docker engine answers at tcp://127\.0\.0\.1:1"):
        check_engine()


def client_that_pulls(pull: Callable[..., Iterator[dict[str, Any]]]) -> SimpleNamespace:
    """docker-py's client as far as a pull needs it; the image is not there."""

    def get(image: str) -> None:
        raise ImageNotFound(f"no {image}")

    return SimpleNamespace(images=SimpleNamespace(get=get), api=SimpleNamespace(pull=pull))


def test_an_image_that_is_there_is_not_pulled() -> None:
    ensure_image(SimpleNamespace(images=SimpleNamespace(get=lambda _: None)), IMAGE, quiet)


def test_a_pull_asks_for_the_image_and_its_tag() -> None:
    asked: list[tuple[str, str]] = []

    def pull(repository: str, *, tag: str, stream: bool, decode: bool) -> Iterator[dict[str, Any]]:
        asked.append((repository, tag))
        yield {"status": "Downloading", "id": "a1", "progressDetail": {"current": 5}}

    ensure_image(client_that_pulls(pull), IMAGE, quiet)
    ensure_image(client_that_pulls(pull), "registry:5000/kafka", quiet)
    assert asked == [("apache/kafka", "4.1.0"), ("registry:5000/kafka", "latest")]


def test_a_pull_without_a_word_is_given_up() -> None:
    released = threading.Event()

    def pull(*_: str, **__: object) -> Iterator[dict[str, Any]]:
        released.wait(30)
        yield {}

    with pytest.raises(DockerUnusable, match=rf"cannot pull {IMAGE}: no word for 0\.1 s"):
        ensure_image(client_that_pulls(pull), IMAGE, quiet, PullLimits(silence_s=0.1))
    released.set()


def test_a_pull_that_takes_too_long_is_given_up() -> None:
    def pull(*_: str, **__: object) -> Iterator[dict[str, Any]]:
        for _line in range(1000):
            time.sleep(0.01)
            yield {"status": "Downloading"}

    with pytest.raises(DockerUnusable, match=r"not done within 0\.2 s"):
        ensure_image(client_that_pulls(pull), IMAGE, quiet, PullLimits(total_s=0.2))


def test_the_engines_own_words_say_why_there_is_no_image() -> None:
    def refused(*_: str, **__: object) -> Iterator[dict[str, Any]]:
        raise APIError("500 Server Error for http+docker://...", explanation="lookup registry: no such host")

    def unknown(*_: str, **__: object) -> Iterator[dict[str, Any]]:
        yield {"error": "manifest unknown"}

    with pytest.raises(DockerUnusable, match=rf"Docker has no image {IMAGE}: lookup registry: no such host$"):
        ensure_image(client_that_pulls(refused), IMAGE, quiet)
    with pytest.raises(DockerUnusable, match="manifest unknown"):
        ensure_image(client_that_pulls(unknown), IMAGE, quiet)
