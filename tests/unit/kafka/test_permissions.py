"""The permissions that are documented, checked and granted in tests are one table."""

from aiokafka.errors import TopicAuthorizationFailedError

from app.kafka.errors import forbidden
from app.kafka.permissions import AGENTS, COMPONENTS
from app.kafka.topics import ROLES, load_topics


def test_every_topic_is_named_by_its_role() -> None:
    assert {role for each in COMPONENTS.values() for role in each.topics} == set(ROLES)
    assert load_topics().app_id == AGENTS.group


def test_a_permission_taken_away_is_told_wherever_it_hides() -> None:

    try:
        try:
            raise TopicAuthorizationFailedError("events")
        except TopicAuthorizationFailedError as error:
            raise RuntimeError("crashed") from error
    except RuntimeError as error:
        told = forbidden(error)
    assert told is not None
    assert "TopicAuthorizationFailedError: events" in str(told)
    assert forbidden(RuntimeError("other")) is None
