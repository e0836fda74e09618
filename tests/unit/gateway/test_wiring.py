"""What a gateway reads, it can read again."""

from app.gateway.wiring import followed_topics
from app.kafka.topics import load_topics
from app.settings import GatewaySettings, Settings


def test_every_topic_that_is_followed_has_the_newest_of_every_key() -> None:
    settings = Settings(gateway=GatewaySettings(keep_interests=True))
    followed = followed_topics(settings, load_topics())
    assert list(followed) == ["recommendations", "catalog", "interests-changelog"]
    assert {topic.config["cleanup.policy"] for topic in followed.values()} == {"compact"}
