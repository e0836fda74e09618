"""The ways into a Kafka that wants TLS and a name, and what is said at a closed door."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from app.errors import KafkaForbidden, KafkaRefused
from app.kafka.access import KafkaAccess, access_of
from app.kafka.permissions import GATEWAY, REPLAY, SCORE, TOPICS, Operation
from app.kafka.probe import check_access
from app.kafka.publisher import connected_producer
from app.kafka.tail import open_tail
from app.kafka.topic_admin import apply_topics
from app.kafka.topic_check import check_topics
from app.kafka.topics import load_topics
from app.settings import KafkaSettings, Settings
from tests.support.certificates import Authority
from tests.support.secured import NAME, PLAIN_USER, SecuredKafka, secured_kafka

PREFIX = "RIVERRUN_KAFKA__"
WRONG = "secret-of-another"


@pytest.fixture(scope="module")
def secured(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(settings, tmp_path_factory.mktemp("secured")) as kafka:
        apply_topics(kafka.local.access, load_topics())
        yield kafka


def access(variables: Mapping[str, str]) -> KafkaAccess:
    """As a process with these variables would come."""
    given = {name.removeprefix(PREFIX).lower(): value for name, value in variables.items()}
    return access_of(KafkaSettings.model_validate(given))


def changed(variables: Mapping[str, str], **changes: str | None) -> dict[str, str]:
    merged = {**variables, **{f"{PREFIX}{name.upper()}": value for name, value in changes.items()}}
    return {name: value for name, value in merged.items() if value is not None}


def plain(address: str) -> dict[str, str]:
    return {f"{PREFIX}BOOTSTRAP_SERVERS": address}


def refusals(kafka: SecuredKafka, folder: Path) -> list[tuple[str, Mapping[str, str], str, str]]:
    """What somebody does wrong, with which settings, and what must be said: why, and which variable to mend."""
    user = kafka.login("ann", kafka.add_user("ann"))
    named = kafka.certified("ann")
    stranger = Authority(folder / "strangers")
    login, certificate = f"{NAME}:{kafka.login_port}", f"{NAME}:{kafka.certificate_port}"
    back_door = kafka.local.bootstrap_servers
    tls_only = {"sasl_mechanism": None, "sasl_username": None, "sasl_password": None}
    return [
        ("plain text on TLS", plain(login), "speaks TLS, not plain text", "SECURITY_PROTOCOL=SSL"),
        ("SASL in plain text on TLS", changed(user, security_protocol="SASL_PLAINTEXT", ssl_cafile=None),
         "speaks TLS, not plain text", "SECURITY_PROTOCOL=SASL_SSL"),
        ("TLS on plain text", changed(named, bootstrap_servers=back_door), "speaks plain text", "PLAINTEXT"),
        ("SASL on plain text", changed(user, bootstrap_servers=back_door), "speaks plain text", "PLAINTEXT"),
        ("TLS without a login", changed(user, security_protocol="SSL", **tls_only),
         "wants a user and a password", "SASL_SSL"),
        ("a login where none is wanted",
         changed(user, bootstrap_servers=certificate, ssl_certfile=named[f"{PREFIX}SSL_CERTFILE"]),
         "asks for no user", "SECURITY_PROTOCOL=SSL"),
        ("no authority", changed(user, ssl_cafile=None), "certificate is not trusted", "SSL_CAFILE"),
        ("another authority", changed(user, ssl_cafile=str(stranger.file)), "is not trusted", "SSL_CAFILE"),
        ("another host name", changed(user, bootstrap_servers=f"127.0.0.1:{kafka.login_port}"),
         "not for the name 127.0.0.1", "BOOTSTRAP_SERVERS"),
        ("no certificate", changed(named, ssl_certfile=None), "wants a certificate of ours", "SSL_CERTFILE"),
        ("a stranger's certificate", changed(named, ssl_certfile=str(stranger.issue("client.invalid", "eve"))),
         "does not accept our certificate", "SSL_CERTFILE"),
        ("wrong password", changed(user, sasl_password=WRONG), "wrong user or password", "SASL_PASSWORD"),
        ("no such user", changed(user, sasl_username="nobody"), "wrong user or password", "SASL_USERNAME"),
        ("mechanism", changed(user, sasl_mechanism="SCRAM-SHA-256"), "it has SCRAM-SHA-512, PLAIN", "SASL_MECHANISM"),
    ]  # fmt: skip


def test_whoever_is_turned_away_is_told_why_and_which_setting_to_mend(secured: SecuredKafka, tmp_path: Path) -> None:
    for what, variables, why, variable in refusals(secured, tmp_path):
        with pytest.raises(KafkaRefused) as caught:
            check_access(access(variables), 5.0)
        assert why in caught.value.what, (what, caught.value)
        assert variable in caught.value.hint, (what, caught.value)
        assert WRONG not in str(caught.value)


def test_a_client_that_is_turned_away_says_the_same(secured: SecuredKafka) -> None:
    wrong = access(changed(secured.login("ann", secured.add_user("ann")), sasl_password=WRONG))
    with pytest.raises(KafkaRefused, match="wrong user or password for the user ann"):
        asyncio.run(connected_producer(wrong, "test", 2_000))


async def test_a_certificate_is_a_name(secured: SecuredKafka) -> None:
    """Producer, consumer and admin client, by mutual TLS."""
    topics, certified = load_topics(), access(secured.certified("gardener"))
    with pytest.raises(KafkaForbidden, match=r"Read and Write the topic score-requests.*Read the group"):
        await asyncio.to_thread(check_topics, certified, topics, SCORE)
    secured.grant("gardener", SCORE, topics)
    secured.grant("gardener", TOPICS, topics)
    await asyncio.to_thread(check_topics, certified, topics, SCORE)
    assert (await asyncio.to_thread(apply_topics, certified, topics)).created == ()
    await round_trip(certified, b"by certificate")


async def test_the_mechanism_plain_works_too(secured: SecuredKafka) -> None:
    secured.grant(PLAIN_USER, SCORE, load_topics())
    await round_trip(
        access(changed(secured.login(PLAIN_USER, secured.plain_password), sasl_mechanism="PLAIN")), b"by PLAIN"
    )


async def round_trip(way: KafkaAccess, value: bytes) -> None:
    topics = load_topics()
    async with AIOKafkaProducer(**way.arguments(), enable_idempotence=True) as producer:
        await producer.send_and_wait(topics.model_updates.name, value, key=value)
    async with asyncio.timeout(30), open_tail(way, topics.model_updates, 5_000, client_id="test") as tail:
        while (await tail.getone()).value != value:
            pass


@pytest.mark.parametrize(
    ("operation", "topic", "said"),
    [(Operation.WRITE, "events", "Write the topic events"), (Operation.READ, "catalog", "Read the topic catalog")],
)
def test_a_missing_permission_is_named(secured: SecuredKafka, operation: Operation, topic: str, said: str) -> None:
    name = f"without-{operation.lower()}-{topic}"
    way = access(secured.login(name, secured.add_user(name)))
    secured.grant(name, GATEWAY, load_topics())
    check_topics(way, load_topics(), GATEWAY)
    secured.revoke(name, operation, topic)
    with pytest.raises(KafkaForbidden) as caught:
        check_topics(way, load_topics(), GATEWAY)
    assert caught.value.what == f"Kafka does not permit the user {name} to: {said}."
    assert "docs/operations.md" in caught.value.hint


def test_who_may_not_make_topics_is_told(secured: SecuredKafka) -> None:
    way = access(secured.login("reader", secured.add_user("reader")))
    secured.grant("reader", REPLAY, load_topics())
    with pytest.raises(KafkaForbidden, match="the user reader"):
        apply_topics(way, load_topics())
