"""docker-compose.yml: contained, pinned, checked, without secrets, and in step with the code."""

import os
import re
import shutil
import subprocess
import tomllib
from typing import Any

import pytest
import yaml
from typer.main import get_command

from app.cli.main import build
from app.kafka.broker_config import SHARED_SETTINGS
from app.settings import KafkaSettings, Settings, known_variables
from stream_agents.pool import STOP_TIMEOUT_S
from tests.support.process import REPOSITORY

COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKER = shutil.which("docker")
ONE_SHOT = {"topics", "train", "replay"}
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("riverrun")}
VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]

each_service = pytest.mark.parametrize("service", list(SERVICES.values()), ids=list(SERVICES))
each_of_ours = pytest.mark.parametrize("service", list(OURS.values()), ids=list(OURS))


@each_service
def test_every_service_is_contained(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].partition(":")[0]) > 0
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert "privileged" not in service
    assert not any("docker.sock" in volume for volume in service.get("volumes", ()))


@each_service
def test_every_image_is_pinned(service: dict[str, Any]) -> None:
    tag = service["image"].partition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), service["image"]


@each_of_ours
def test_our_images_have_the_projects_version_and_one_dockerfile(service: dict[str, Any]) -> None:
    assert service["image"].endswith(f":{VERSION}")
    assert service["build"]["dockerfile"] == "infra/docker/Dockerfile"


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOT))
def test_what_stays_up_is_checked_restarted_and_given_time_to_stop(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) > STOP_TIMEOUT_S


@pytest.mark.parametrize("name", sorted(ONE_SHOT))
def test_what_runs_once_is_not_restarted(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"


@each_of_ours
def test_commands_and_options_exist(service: dict[str, Any]) -> None:
    command, words = get_command(build()), [str(word) for word in service["command"]]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]  # type: ignore[attr-defined]  # a group has them
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@each_of_ours
def test_settings_exist(service: dict[str, Any]) -> None:
    given = {name for name in service.get("environment", {}) if name.startswith("RIVERRUN_")}
    assert given <= known_variables().keys()


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("agents", Settings().agents.metrics_port),
        ("model-server", Settings().scoring.metrics_port),
        ("model-server-gpu", Settings().scoring.metrics_port),
        ("learner", Settings().learning.metrics_port),
        ("gateway", Settings().gateway.metrics_port),
    ],
)
def test_readiness_is_asked_where_the_process_answers_and_prometheus_reads_there(name: str, port: int) -> None:
    assert SERVICES[name]["healthcheck"]["test"][-2:] == [str(port), "/readyz"]
    jobs = yaml.safe_load((REPOSITORY / "infra/prometheus/prometheus.yml").read_text())["scrape_configs"]
    job = name.removesuffix("-gpu")
    [found] = [each["dns_sd_configs"][0] for each in jobs if each["job_name"] == job]
    assert (found["names"], found["port"]) == ([job], port)


def test_the_gateway_shows_the_pipeline_and_its_own_port() -> None:
    settings = Settings()
    scraped = SERVICES["gateway"]["environment"]["RIVERRUN_GATEWAY__SCRAPE"].split(",")
    assert scraped == [
        f"http://agents:{settings.agents.metrics_port}/metrics",
        f"http://model-server:{settings.scoring.metrics_port}/metrics",
    ]
    [port] = SERVICES["gateway"]["ports"]
    assert port.endswith(f":{settings.gateway.port}")


def test_kafka_is_the_version_that_is_tested() -> None:
    assert SERVICES["kafka"]["image"] == Settings().kafka.image
    told = SERVICES["kafka"]["environment"]
    for name, value in SHARED_SETTINGS.items():
        if name != "group.min.session.timeout.ms":  # for tests, which replace a dead member faster than is wise
            assert str(told[f"KAFKA_{name.replace('.', '_').upper()}"]) == str(value)


def test_every_way_into_kafka_reaches_every_service_that_goes_there() -> None:
    ways = {f"RIVERRUN_KAFKA__{name.upper()}" for name in KafkaSettings.model_fields if "_" in name}
    ways = {name for name in ways if re.search("SERVERS|SECURITY|SSL|SASL", name)}
    for name, service in OURS.items():
        environment = service.get("environment", {})
        given = {each: environment.get(each) for each in ways}
        if name == "train":  # it needs no Kafka
            assert not any(given.values())
            continue
        assert given.pop("RIVERRUN_KAFKA__BOOTSTRAP_SERVERS") == "${STACK_KAFKA:-kafka:9092}"
        # Not of the same names: a shell that is set for another Kafka must not turn these services to it.
        assert given == {each: f"${{STACK_KAFKA_{each.removeprefix('RIVERRUN_KAFKA__')}:-}}" for each in given}
        assert "${STACK_KAFKA_SECRETS:-kafka-secrets}:/run/kafka:ro" in service["volumes"]


@each_service
def test_nothing_listens_to_the_world_unless_asked(service: dict[str, Any]) -> None:
    for port in service.get("ports", ()):
        assert port.startswith(("127.0.0.1:", "${STACK_BIND:-127.0.0.1}:"))


def test_there_are_no_default_secrets() -> None:
    secrets = {
        name: value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if re.search(r"PASSWORD|SECRET|KEYS", name)
    }
    assert len(secrets) >= 3
    for name, value in secrets.items():
        assert re.fullmatch(r"\$\{\w+(:?\?[^}]*|:-)\}", value), f"{name} has a value of its own"
    assert secrets["GF_SECURITY_ADMIN_PASSWORD"].startswith("${STACK_GRAFANA_PASSWORD:?")
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    example = (REPOSITORY / ".env.example").read_text()
    assert not re.search(r"^\w*(PASSWORD|SECRET|KEYS)=.", example, re.MULTILINE)


def test_what_is_mounted_from_the_repository_is_there_and_volumes_are_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{\w+:-([\w-]+)\}", r"\1", volume).partition(":")[0]
            assert (REPOSITORY / source).is_dir() if source.startswith("./") else source in COMPOSE["volumes"], volume
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert f"./infra/grafana/dashboards:{home.rpartition('/')[0]}:ro" in SERVICES["grafana"]["volumes"]
    provider = yaml.safe_load((REPOSITORY / "infra/grafana/provisioning/dashboards/riverrun.yml").read_text())
    assert provider["providers"][0]["options"]["path"] == home.rpartition("/")[0]


def test_every_variable_that_compose_reads_is_explained() -> None:
    read = set(re.findall(r"\$\{(\w+)", (REPOSITORY / "docker-compose.yml").read_text()))
    told = (REPOSITORY / ".env.example").read_text()
    assert {name for name in read if name not in told} == set()
    # What is no setting has another prefix: `riverrun` refuses unknown settings, also those that a shell exports.
    assert {name for name in read if name.startswith("RIVERRUN_")} <= known_variables().keys()


def _rendered(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`docker compose config` without an `.env` file; needs no engine."""
    found = subprocess.run([DOCKER, "compose", "version"], capture_output=True, check=False) if DOCKER else None
    if found is None or found.returncode:
        pytest.skip("no `docker compose` here")
    command = [DOCKER or "", "compose", "--env-file", os.devnull, "--profile", "*", "config"]
    return subprocess.run(
        command, cwd=REPOSITORY, env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_compose_takes_it_with_secrets_and_refuses_without() -> None:
    assert "STACK_GRAFANA_PASSWORD" in _rendered({"RIVERRUN_GATEWAY__API_KEYS": "k"}).stderr
    assert "RIVERRUN_GATEWAY__API_KEYS" in _rendered({"STACK_GRAFANA_PASSWORD": "p"}).stderr
    whole = _rendered({"STACK_GRAFANA_PASSWORD": "p", "RIVERRUN_GATEWAY__API_KEYS": "k"})
    assert whole.returncode == 0, whole.stderr
    assert yaml.safe_load(whole.stdout)["services"].keys() == SERVICES.keys()
