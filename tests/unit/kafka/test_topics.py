"""topics.yml: what is read, and what is refused."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.errors import SettingsError
from app.kafka.topics import KEYED_BY_USER, load_topics, parse_topics, topics_file
from app.state_folder import MAX_UNREAD_MS

WHERE = "topics.yml"


@pytest.fixture
def document() -> Any:
    return copy.deepcopy(yaml.safe_load(topics_file().read_text()))


def test_the_file_of_the_project_is_read_into_roles() -> None:
    topics = load_topics()

    assert topics.events.name == "events"
    assert topics.score_requests.name == "score-requests"
    assert topics.recommendations.config["cleanup.policy"] == "compact"
    assert topics.events.config["retention.ms"] == "2592000000"
    assert len({spec.name for spec in topics.by_role().values()}) == 8


def test_events_carry_kafkas_clock() -> None:
    """A sender's that is ahead would let any `ts` in, and push a user's history out."""
    assert load_topics().events.config["message.timestamp.type"] == "LogAppendTime"


def test_a_deletion_stays_twice_as_long_as_a_reader_may_stand_still() -> None:
    compacted = [each for each in load_topics().by_role().values() if each.config["cleanup.policy"] == "compact"]
    assert len(compacted) == 4
    assert all(int(each.config["delete.retention.ms"]) >= 2 * MAX_UNREAD_MS for each in compacted)


def test_the_topics_whose_key_is_the_user_have_the_same_partitions() -> None:
    roles = load_topics().by_role()
    assert len({roles[role].partitions for role in KEYED_BY_USER}) == 1


def test_a_prefix_renames_every_topic_and_the_faust_app_with_them() -> None:
    topics = load_topics().with_prefix("t1-")

    assert topics.app_id == "t1-riverrun-agents"
    assert topics.interests_changelog.name == f"{topics.app_id}-interests-changelog"
    assert topics.agents_leader.name == f"{topics.app_id}-__assignor-__leader"
    assert all(spec.name.startswith("t1-") for spec in topics.by_role().values())


def test_a_topics_file_from_elsewhere_is_read(tmp_path: Path) -> None:
    other = tmp_path / "topics.yml"
    other.write_text(topics_file().read_text().replace("replication_factor: 1", "replication_factor: 3"))
    assert load_topics(other).events.replication_factor == 3


def test_true_and_false_are_written_as_kafka_writes_them(document: Any) -> None:
    document["topics"]["events"]["config"]["preallocate"] = True
    assert parse_topics(document, WHERE).events.config["preallocate"] == "true"


def test_different_partitions_of_keyed_topics_are_refused(document: Any) -> None:
    document["topics"]["recommendations"]["partitions"] = 8
    with pytest.raises(SettingsError, match=r"same number of partitions.*recommendations 8"):
        parse_topics(document, WHERE)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("partitions", 0, "topics.events.partitions is 0, wanted a whole number of at least 1"),
        ("partitions", "four", "topics.events.partitions is 'four'"),
        ("partitions", True, "topics.events.partitions is True"),
        ("description", None, "topics.events.description is None, wanted text"),
        ("config", ["a"], r"topics.events.config is \['a'\], wanted names and values"),
        ("config", {"retention.ms": [1]}, r"topics.events.config.retention.ms is \[1\]"),
        ("retention", 1, "unknown key 'retention' in topics.events"),
    ],
)
def test_a_wrong_value_is_named(document: Any, key: str, value: object, says: str) -> None:
    document["topics"]["events"][key] = value
    with pytest.raises(SettingsError, match=says):
        parse_topics(document, WHERE)


def test_a_missing_topic_is_named(document: Any) -> None:
    del document["topics"]["dead-letters"]
    with pytest.raises(SettingsError, match=r"topics\.dead-letters is missing"):
        parse_topics(document, WHERE)


def test_an_unknown_topic_is_named(document: Any) -> None:
    document["topics"]["clicks"] = document["topics"]["events"]
    with pytest.raises(SettingsError, match="unknown key 'clicks' in topics"):
        parse_topics(document, WHERE)


def test_a_changelog_name_that_faust_will_not_use_is_refused(document: Any) -> None:
    document["topics"]["interests-changelog"]["name"] = "changes"
    with pytest.raises(SettingsError, match="Faust will use 'riverrun-agents-interests-changelog'"):
        parse_topics(document, WHERE)


def test_a_file_that_is_missing_or_no_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Cannot read .*nowhere"):
        load_topics(tmp_path / "nowhere.yml")
    (tmp_path / "bad.yml").write_text("a: [")
    with pytest.raises(SettingsError, match="is no YAML"):
        load_topics(tmp_path / "bad.yml")
