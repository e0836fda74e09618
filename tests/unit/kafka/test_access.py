"""From settings to what a client is made with."""

import logging
import ssl
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient

from app.errors import KafkaRefused, SettingsError
from app.kafka.access import KafkaAccess, access_of
from app.settings import KafkaSettings
from tests.support.certificates import Authority

LOGIN = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "ann", "sasl_password": "quiet-as-a-mouse"}


def access(**settings: object) -> KafkaAccess:
    return access_of(KafkaSettings.model_validate({"bootstrap_servers": "a:1, b:2", **settings}))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def test_plain_text_is_an_address_and_no_more() -> None:
    assert access() == KafkaAccess("a:1, b:2")
    assert access().arguments() == {"bootstrap_servers": ["a:1", "b:2"], "security_protocol": "PLAINTEXT"}


def test_tls_trusts_the_given_authority_alone_and_checks_host_names(authority: Authority) -> None:
    way = access(security_protocol="SSL", ssl_cafile=authority.file)
    context = way.arguments()["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) == 1
    assert (way.protocol, way.certified) == ("SSL", False)


def test_a_login_over_tls_has_both_and_shows_no_password() -> None:
    way = access(security_protocol="SASL_SSL", **LOGIN)
    arguments = way.arguments()
    assert arguments["security_protocol"] == "SASL_SSL"
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("ann", "quiet-as-a-mouse")
    assert arguments["ssl_context"].check_hostname
    assert "quiet-as-a-mouse" not in repr(way)
    assert "quiet-as-a-mouse" not in str(way.environment())


def test_both_libraries_know_every_argument() -> None:
    names = access(security_protocol="SASL_SSL", **LOGIN).arguments().keys()
    assert names <= KafkaAdminClient.DEFAULT_CONFIG.keys()
    assert names <= set(AIOKafkaProducer.__init__.__code__.co_varnames)


def test_a_password_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from a mounted secret\n")
    login = {**LOGIN, "sasl_password": None, "sasl_password_file": file}
    way = access(security_protocol="SASL_PLAINTEXT", **login)
    assert way.arguments()["sasl_plain_password"] == "from a mounted secret"  # noqa: S105  # of this test
    file.write_text("\n")
    with pytest.raises(SettingsError, match=r"RIVERRUN_KAFKA__SASL_PASSWORD_FILE: .*password is empty"):
        access(security_protocol="SASL_PLAINTEXT", **login)


def test_a_certificate_and_its_key_may_lie_in_one_file(authority: Authority) -> None:
    way = access(security_protocol="SSL", ssl_certfile=authority.issue("client.invalid", "ann"))
    assert way.certified
    assert way.who == "the owner of our certificate"


@pytest.mark.parametrize("name", ["ssl_cafile", "ssl_certfile"])
def test_a_file_that_cannot_be_used_is_named_with_its_variable(tmp_path: Path, name: str) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(SettingsError, match=f"RIVERRUN_KAFKA__{name.upper()}: {missing}: No such file"):
        access(security_protocol="SSL", **{name: missing})
    missing.write_text("no certificate")
    with pytest.raises(SettingsError, match=f"RIVERRUN_KAFKA__{name.upper()}: {missing}"):
        access(security_protocol="SSL", **{name: missing})


def test_an_encrypted_key_wants_its_password(authority: Authority, tmp_path: Path) -> None:
    certificate = authority.issue("client.invalid", "bea")
    encrypted = authority.lock(certificate, "hush")
    files = {"ssl_certfile": certificate, "ssl_keyfile": encrypted}
    assert access(security_protocol="SSL", **files, ssl_key_password="hush").certified  # noqa: S106  # of this test
    for wrong in ("hash", None):
        with pytest.raises(SettingsError, match="RIVERRUN_KAFKA__SSL_CERTFILE") as caught:
            access(security_protocol="SSL", **files, ssl_key_password=wrong)
        assert "SSL_KEY_PASSWORD" in str(caught.value)


def test_a_password_that_goes_out_unencrypted_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        access(security_protocol="SASL_PLAINTEXT", **LOGIN)
        assert not caplog.records
        access(security_protocol="SASL_PLAINTEXT", **{**LOGIN, "sasl_mechanism": "PLAIN"})
    assert [record.getMessage() for record in caplog.records] == [
        "The password of ann goes to Kafka unencrypted: SASL_PLAINTEXT with PLAIN."
    ]


def test_who_knows_plain_text_only_gets_no_other_address() -> None:
    assert access().plain_address("A peer") == "a:1, b:2"
    with pytest.raises(KafkaRefused, match=r"A peer speaks plain text only, but RIVERRUN_KAFKA__SECURITY_PROTOCOL=SSL"):
        access(security_protocol="SSL").plain_address("A peer")


def test_without_an_address_nothing_is_reached() -> None:
    with pytest.raises(SettingsError, match="RIVERRUN_KAFKA__BOOTSTRAP_SERVERS"):
        access_of(KafkaSettings())
