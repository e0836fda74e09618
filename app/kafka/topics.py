"""The topics of riverrun, as infra/kafka/topics.yml names them. Knows no Kafka client: see topic_admin.py."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from app.errors import SettingsError

APP_ID = "riverrun-agents"
ROLES = (
    "events",
    "catalog",
    "score_requests",
    "recommendations",
    "dead_letters",
    "model_updates",
    "interests_changelog",
    "agents_leader",
)
KEYED_BY_USER = ("events", "score_requests", "recommendations", "interests_changelog")
_TOPIC_KEYS = {"description", "partitions", "config", "name"}


@dataclass(frozen=True)
class TopicSpec:
    """One topic as it should be; `config` holds Kafka's own topic settings, as Kafka writes them."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]
    description: str


@dataclass(frozen=True)
class Topics:
    """Every topic by its role.

    `app_id` is the Faust application's id, from which Faust derives the names of its own topics.
    """

    events: TopicSpec
    catalog: TopicSpec
    score_requests: TopicSpec
    recommendations: TopicSpec
    dead_letters: TopicSpec
    model_updates: TopicSpec
    interests_changelog: TopicSpec
    agents_leader: TopicSpec
    app_id: str

    def by_role(self) -> dict[str, TopicSpec]:
        """All of them, in the order of the file."""
        return {role: getattr(self, role) for role in ROLES}

    def with_prefix(self, prefix: str) -> "Topics":
        """The same topics under other names, the Faust application's with them: for a test, or a second shop."""
        named = {role: replace(spec, name=prefix + spec.name) for role, spec in self.by_role().items()}
        return _by_role(named, prefix + self.app_id)


def _by_role(specs: Mapping[str, TopicSpec], app_id: str) -> Topics:
    return Topics(
        events=specs["events"],
        catalog=specs["catalog"],
        score_requests=specs["score_requests"],
        recommendations=specs["recommendations"],
        dead_letters=specs["dead_letters"],
        model_updates=specs["model_updates"],
        interests_changelog=specs["interests_changelog"],
        agents_leader=specs["agents_leader"],
        app_id=app_id,
    )


def topics_file() -> Path:
    """Where topics.yml is: beside this module in a wheel, under infra/ in a checkout."""
    here = Path(__file__)
    packaged = here.with_name("topics.yml")
    return packaged if packaged.exists() else here.parents[2] / "infra" / "kafka" / "topics.yml"


def load_topics(path: Path | None = None) -> Topics:
    """Read and check topics.yml.

    Raises:
        SettingsError: it is missing, no YAML, or wrong; names the file and the key.
    """
    file = path or topics_file()
    try:
        return parse_topics(yaml.safe_load(file.read_text()), str(file))
    except OSError as error:
        raise SettingsError(f"Cannot read {file}: {error.strerror}.", hint="Install riverrun anew.") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{file} is no YAML: {' '.join(str(error).split())}.") from error


def parse_topics(document: Any, where: str) -> Topics:
    """Check a topics.yml that was read from `where`.

    Raises:
        SettingsError: a key is missing, unknown or wrong, or topics that share a key differ in partitions.
    """
    root = _mapping(document, where, "the file")
    _only(root, {"replication_factor", "topics"}, where, "the file")
    replication_factor = _count(root, "replication_factor", where, "replication_factor")
    entries = _mapping(root.get("topics"), where, "topics")
    _only(entries, {role.replace("_", "-") for role in ROLES}, where, "topics")
    specs = {
        role: _topic(role.replace("_", "-"), entries.get(role.replace("_", "-")), replication_factor, where)
        for role in ROLES
    }
    topics = _by_role(specs, APP_ID)
    _check_partitions(topics, where)
    _check_faust_names(topics, where)
    return topics


def _topic(key: str, entry: Any, replication_factor: int, where: str) -> TopicSpec:
    at = f"topics.{key}"
    fields = _mapping(entry, where, at)
    _only(fields, _TOPIC_KEYS, where, at)
    config = _mapping(fields.get("config", {}), where, f"{at}.config")
    for name, value in config.items():
        if not isinstance(value, str | int | float):
            raise SettingsError(f"{where}: {at}.config.{name} is {value!r}, wanted text, a number or true/false.")
    return TopicSpec(
        name=_text(fields, "name", where, at, default=key),
        partitions=_count(fields, "partitions", where, f"{at}.partitions"),
        replication_factor=replication_factor,
        config=MappingProxyType({str(name): _as_kafka(value) for name, value in config.items()}),
        description=_text(fields, "description", where, at),
    )


def _as_kafka(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_partitions(topics: Topics, where: str) -> None:
    counts = {role: topics.by_role()[role].partitions for role in KEYED_BY_USER}
    if len(set(counts.values())) > 1:
        got = ", ".join(f"{role.replace('_', '-')} {count}" for role, count in counts.items())
        raise SettingsError(
            f"{where}: the topics whose key is the user need the same number of partitions, but have {got}.",
            hint="Give them one number: a user must be in the same partition of all of them.",
        )


def _check_faust_names(topics: Topics, where: str) -> None:
    wanted = {
        "interests_changelog": f"{topics.app_id}-interests-changelog",
        "agents_leader": f"{topics.app_id}-__assignor-__leader",
    }
    for role, name in wanted.items():
        got = topics.by_role()[role].name
        if got != name:
            raise SettingsError(
                f"{where}: topics.{role.replace('_', '-')}.name is {got!r}, but Faust will use {name!r}.",
                hint="Faust derives it from the application's id; it cannot be chosen.",
            )


def _mapping(value: Any, where: str, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        missing = "is missing" if value is None else f"is {value!r}, wanted names and values"
        raise SettingsError(f"{where}: {at} {missing}.")
    return value


def _only(fields: dict[str, Any], known: set[str], where: str, at: str) -> None:
    unknown = sorted(str(key) for key in set(fields) - known)
    if unknown:
        raise SettingsError(
            f"{where}: unknown key {unknown[0]!r} in {at}.", hint=f"There is: {', '.join(sorted(known))}."
        )


def _count(fields: dict[str, Any], key: str, where: str, at: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingsError(f"{where}: {at} is {value!r}, wanted a whole number of at least 1.")
    return value


def _text(fields: dict[str, Any], key: str, where: str, at: str, default: str | None = None) -> str:
    value = fields.get(key, default)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{where}: {at}.{key} is {value!r}, wanted text.")
    return value
