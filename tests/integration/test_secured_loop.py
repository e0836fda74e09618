"""The whole of riverrun on a Kafka that permits each component no more than docs/operations.md says."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import pytest

from app.kafka.permissions import (
    AGENTS,
    GATEWAY_WITH_INTERESTS,
    LEARN,
    MODELS,
    REPLAY,
    SCORE,
    TOPICS,
    Operation,
    Permissions,
)
from app.kafka.topics import load_topics
from app.settings import Settings
from tests.support.agents import AgentsProcess, agents
from tests.support.gateway import GatewayProcess, gateway
from tests.support.model_server import ModelServerProcess, model_server, offer
from tests.support.process import REPOSITORY, WAIT_S, ServiceProcess
from tests.support.secured import SecuredKafka, secured_kafka
from tests.support.swapping import TITLES, Versions

_RIVERRUN = (sys.executable, "-m", "app.cli.main")


@dataclass(frozen=True)
class Shop:
    """A secured Kafka, everybody's settings, and the loop."""

    kafka: SecuredKafka
    folder: Path
    versions: Versions
    people: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def employ(self, name: str, permissions: Permissions) -> Mapping[str, str]:
        """A user who may do that and nothing else; the settings that make a process this user."""
        self.people[name] = self.kafka.login(name, self.kafka.add_user(name))
        self.kafka.grant(name, permissions, load_topics())
        return self.people[name]

    @contextmanager
    def worker(self, number: int) -> Iterator[AgentsProcess]:
        address = self.kafka.local.bootstrap_servers
        with agents(address, load_topics(), self.folder / f"agents-{number}", self.people["agents"]) as process:
            yield process

    @contextmanager
    def loop(self) -> Iterator[tuple[AgentsProcess, ModelServerProcess, GatewayProcess]]:
        """Ready."""
        address, topics = self.kafka.local.bootstrap_servers, load_topics()
        log = self.folder / "score.log"
        environment = {**self.people["gateway"], "RIVERRUN_GATEWAY__KEEP_INTERESTS": "true"}
        with (
            self.worker(1) as worker,
            model_server(address, topics, self.versions.folder, log, environment=self.people["score"]) as scorer,
            gateway(address, topics, self.folder / "gateway", environment) as door,
        ):
            for process in (worker, scorer, door):
                process.wait_ready()
            yield worker, scorer, door

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, run by this user."""
        return subprocess.run(
            [*_RIVERRUN, *arguments], env={**os.environ, **self.people[name]}, cwd=REPOSITORY,
            capture_output=True, text=True, check=False, timeout=WAIT_S,
        )  # fmt: skip

    def passwords(self) -> list[str]:
        return [person["RIVERRUN_KAFKA__SASL_PASSWORD"] for person in self.people.values()]


@pytest.fixture
def shop(settings: Settings, tmp_path: Path, versions: Versions) -> Iterator[Shop]:
    """A shop with its topics and its catalog."""
    with secured_kafka(settings, tmp_path) as kafka:
        opened = Shop(kafka, tmp_path, versions)
        opened.employ("operator", TOPICS)
        applied = opened.run("operator", "topics", "apply", "--json")
        assert applied.returncode == 0, applied.stderr
        assert len(json.loads(applied.stdout)["created"]) == len(TOPICS.topics)
        for name, permissions in {"agents": AGENTS, "score": SCORE, "gateway": GATEWAY_WITH_INTERESTS}.items():
            opened.employ(name, permissions)
        offer(kafka.local.bootstrap_servers, load_topics(), TITLES)
        yield opened


def click(door: GatewayProcess, user_id: str) -> None:
    """A click of somebody new through the gateway, and wait for the list that it makes."""
    posted = door.ask("/v1/events", {"type": "click", "user_id": user_id, "item_id": "film-1"})
    assert posted.status == 200, posted
    path = f"/v1/users/{user_id}/recommendations?wait_for={posted.body['events'][0]['event_id']}"
    door.wait(lambda: bool(door.ask(path).body.get("items")), f"no list came for {user_id}")


def tells(process: ServiceProcess, what: str) -> bool:
    return what in process.log


def test_each_component_does_its_work_with_no_more_than_its_permissions(shop: Shop, tmp_path: Path) -> None:
    with shop.loop() as (first, scorer, door):
        click(door, "ann")
        with shop.worker(2) as second:  # a rebalance
            second.wait_ready()
            both = (first, second)
            first.wait(lambda: all(each.metric("riverrun_assigned_partitions") == 2 for each in both), "not shared")
            for number in range(8):
                click(door, f"user-{number}")
            assert second.stop() == 0
        first.wait(lambda: first.metric("riverrun_assigned_partitions") == 4, "the first did not take over")
        click(door, "bob")
        assert door.ask("/v1/users/bob/interests").status == 200

        shop.employ("replay", REPLAY)
        (tmp_path / "past.csv").write_text(
            "user,item,ts\n" + "".join(f"u{n},film-{n},{1_700_000_000 + n}\n" for n in range(9))
        )
        names = ("--map", "user=user,item=item,ts=ts")
        replayed = shop.run("replay", "replay", "--data", str(tmp_path / "past.csv"), *names, "--rate", "0")
        assert replayed.returncode == 0, replayed.stderr
        replays = "/v1/users/u8/recommendations"
        door.wait(lambda: bool(door.ask(replays).body.get("items")), "the replay did not arrive")

        shop.employ("models", MODELS)
        promoted = shop.run(
            "models", "models", "promote", shop.versions.unlike, "--models-dir", str(shop.versions.folder)
        )
        assert (promoted.returncode, "look into the folder" in promoted.stderr) == (0, False), promoted.stderr

        said = "".join(process.log for process in (first, scorer, door)) + replayed.stderr + promoted.stderr
        for process in (first, scorer, door):
            tree = [psutil.Process(process.process.pid), *psutil.Process(process.process.pid).children(recursive=True)]
            said += "".join(" ".join(each.cmdline()) for each in tree)
            assert process.stop() == 0
    assert not any(password in said for password in shop.passwords())


def test_the_learner_reads_what_it_may(shop: Shop) -> None:
    variables = shop.employ("learn", LEARN)
    options = ("--state-dir", str(shop.folder / "learning"), "--models-dir", str(shop.versions.folder))
    learner = ServiceProcess(
        [*_RIVERRUN, "learn", *options, "--metrics-port", "0"], "", shop.folder / "learn.log", variables
    )
    try:
        learner.wait_ready()
        assert learner.stop() == 0
    finally:
        learner.kill()


@pytest.mark.parametrize("command", ["agents", "score", "gateway", "learn"])
def test_a_wrong_password_stops_a_start_within_seconds(shop: Shop, command: str) -> None:
    shop.people["thief"] = {
        **shop.people["agents"],
        "RIVERRUN_KAFKA__SASL_PASSWORD": "wrong-password",
        "RIVERRUN_GATEWAY__OPEN_ACCESS": "true",
    }
    started_s = time.monotonic()
    folder = () if command == "score" else ("--state-dir", str(shop.folder / "thief"))
    ended = shop.run("thief", command, *folder, "--metrics-port", "0")
    assert ended.returncode == 3, ended.stderr
    assert "wrong user or password for the user agents (SCRAM-SHA-512)" in ended.stderr
    assert "RIVERRUN_KAFKA__SASL_PASSWORD" in ended.stderr
    assert "wrong-password" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert time.monotonic() - started_s < 30  # most of it is Python that imports torch on a busy machine


def test_a_start_without_a_permission_is_told_which(shop: Shop) -> None:
    shop.kafka.revoke("agents", Operation.WRITE, "dead-letters")
    ended = shop.run("agents", "agents", "--state-dir", str(shop.folder / "a"), "--metrics-port", "0")
    assert ended.returncode == 3, ended.stderr
    assert "Kafka does not permit the user agents to: Write the topic dead-letters." in ended.stderr


def test_a_password_that_no_longer_holds_is_an_outage_and_a_permission_taken_away_an_end(shop: Shop) -> None:
    with shop.loop() as (worker, scorer, door):
        click(door, "ann")
        for name in ("agents", "score", "gateway"):
            shop.kafka.add_user(name, "another")
        shop.kafka.local.stop()  # open connections outlive a change of password: cut them
        shop.kafka.local.start()
        for process in (worker, scorer, door):
            said = partial(tells, process, "SaslAuthenticationFailed")
            process.wait(said, "it does not say why")
            assert process.get("/readyz")[0] == 503
        for name in ("agents", "score", "gateway"):
            shop.kafka.add_user(name, shop.people[name]["RIVERRUN_KAFKA__SASL_PASSWORD"])
        for process in (worker, scorer, door):
            process.wait_ready()
        click(door, "bob")
        shop.kafka.revoke("agents", Operation.READ, "events")
        shop.kafka.revoke("score", Operation.READ, "score-requests")
        for process in (worker, scorer):
            assert process.ended() == 3, process.log
            assert "TopicAuthorizationFailedError" in process.log
            assert "docs/operations.md lists the permissions" in process.log
        shop.kafka.revoke("gateway", Operation.READ, "recommendations")
        door.wait(lambda: door.get("/readyz")[0] == 503, "the gateway stays ready")
        assert door.ask("/v1/users/ann/recommendations").status == 200
