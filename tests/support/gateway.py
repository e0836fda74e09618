"""The gateway as a process, and a frontend before it that reads streams as a browser does."""

import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Final

from app.contracts.recommendations import Cause, Recommendations, RecommendedItem, encode_recommendations
from app.kafka.topics import Topics
from tests.support.model_server import writing
from tests.support.process import ServiceProcess

API_KEY: Final = "a-key-for-the-tests"
TOKEN_SECRET: Final = "a-secret-of-thirty-two-bytes-long"  # noqa: S105  # of the tests
_COMMAND: Final = (sys.executable, "-m", "app.cli.main", "gateway")
_ADDRESS: Final = re.compile(r"Gateway on http://[^:]+:(\d+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the headers in lower case, and the JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


class GatewayProcess(ServiceProcess):
    """One `riverrun gateway` process on free ports."""

    def __init__(
        self, bootstrap_servers: str, topics: Topics, state_dir: Path, environment: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:  # fmt: skip
        state_dir.mkdir(parents=True, exist_ok=True)
        prefix = topics.events.name.removesuffix("events")
        options = ["--port", str(port), "--state-dir", str(state_dir), "--metrics-port", "0"]
        access = {"RIVERRUN_GATEWAY__API_KEYS": API_KEY, "RIVERRUN_GATEWAY__TOKEN_SECRET": TOKEN_SECRET}
        super().__init__(
            [*_COMMAND, "--topic-prefix", prefix, *options],
            bootstrap_servers, state_dir.parent / f"{state_dir.name}.log", access | dict(environment or {}),
        )  # fmt: skip

    @property
    def port(self) -> int:
        """Of the API; waits until it is known."""
        self.wait(lambda: _ADDRESS.search(self.log) is not None, "it does not listen")
        found = _ADDRESS.search(self.log)
        assert found is not None
        return int(found[1])

    def ask(
        self, path: str, body: Any = None, *, key: str | None = API_KEY, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET, or POST where there is a body (JSON, or bytes as they are)."""
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = dict(headers or {}) | ({"Authorization": f"Bearer {key}"} if key else {})
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", raw, sent)  # our own
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310  # loopback
                return _answer(answer)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error)

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator["Stream"]:
        """An open stream."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path, headers={"Authorization": f"Bearer {API_KEY}"} | dict(headers or {}))
        response = connection.getresponse()
        try:
            yield Stream(response)
        finally:
            response.close()
            connection.close()


class Stream:
    """Server-sent events, as they come."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self._response = response

    def messages(self) -> Iterator[dict[str, str]]:
        """Each message as its fields; comments and `retry` come as well. Ends with the stream."""
        fields: dict[str, str] = {}
        for line in self._response:
            text = line.decode().rstrip("\r\n")
            if text:
                name, _, value = text.partition(":")
                fields[name or "comment"] = value.removeprefix(" ")
            elif fields:
                yield fields
                fields = {}

    def lists(self) -> Iterator[Any]:
        """The JSON of every message with lists."""
        return (json.loads(each["data"]) for each in self.messages() if each.get("event") == "recommendations")


@contextmanager
def gateway(
    bootstrap_servers: str, topics: Topics, state_dir: Path, environment: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[GatewayProcess]:
    """A gateway that is gone after the block, whatever happened to it."""
    process = GatewayProcess(bootstrap_servers, topics, state_dir, environment, port)
    try:
        yield process
    finally:
        process.kill()


def lists_of(user_id: str, version: int, *item_ids: str, event_id: str | None = None) -> Recommendations:
    """A message as the model server would write it."""
    items = tuple(RecommendedItem(item_id, 0.5, "model", f"Because of {version}") for item_id in item_ids)
    now_ms = time.time_ns() // 1_000_000
    return Recommendations(
        user_id=user_id, recommendation_id=f"{user_id}-{version}", state_version=version, requested_ts_ms=now_ms,
        generated_ts_ms=now_ms, model_version="v1", variant="default",
        cause=Cause(event_id or f"e{version}", now_ms, now_ms), lists={"home": items, "popular": items[:1]},
    )  # fmt: skip


def publish_lists(bootstrap_servers: str, topics: Topics, messages: Iterable[Recommendations | str]) -> None:
    """Write lists; a user id alone is a user to forget."""
    with writing(bootstrap_servers) as producer:
        for each in messages:
            user_id = each if isinstance(each, str) else each.user_id
            value = None if isinstance(each, str) else encode_recommendations(each)
            producer.send(topics.recommendations.name, key=user_id.encode(), value=value)


def _answer(response: Any) -> Answer:
    text = response.read().decode()
    is_json = text and "json" in response.headers.get("content-type", "")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, json.loads(text) if is_json else text)
