"""Settings: read once, checked, and named when they are wrong."""

import os
from unittest import mock

import pytest

from app.cli.settings import current_values
from app.errors import SettingsError
from app.settings import Settings, known_variables, load_settings


def loaded(**variables: str) -> Settings:
    """The settings with only these variables in the environment."""
    with mock.patch.dict(os.environ, variables, clear=True):
        return load_settings()


def test_the_defaults_are_complete() -> None:
    assert loaded(HOME="/home/ann").agents.max_interactions == 50


def test_a_variable_reaches_its_setting() -> None:
    assert loaded(RIVERRUN_KAFKA__BOOTSTRAP_SERVERS="a:1,b:2").kafka.bootstrap_servers == "a:1,b:2"


def test_addresses_to_scrape_are_of_http() -> None:
    addresses = "http://a:1/metrics, https://b:2/metrics"
    assert loaded(HOME="/home/ann", RIVERRUN_GATEWAY__SCRAPE=addresses).gateway.scrape == addresses


def test_an_empty_variable_is_an_unset_one() -> None:
    settings = loaded(HOME="/home/ann", RIVERRUN_CACHE_DIR="", RIVERRUN_KAFKA__BOOTSTRAP_SERVERS="")
    assert (settings.cache_dir, settings.kafka.bootstrap_servers) == (loaded(HOME="/home/ann").cache_dir, None)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("RIVERRUN_KAFKA__BOOTSTRAP_SERVER", "a:1", "Did you mean RIVERRUN_KAFKA__BOOTSTRAP_SERVERS"),
        ("RIVERRUN_COLOUR", "blue", "Unknown setting RIVERRUN_COLOUR"),
        ("RIVERRUN_AGENTS__MAX_INTERACTIONS", "many", "RIVERRUN_AGENTS__MAX_INTERACTIONS"),
        ("RIVERRUN_AGENTS__MAX_INTERACTIONS", "0", "greater than or equal to 1 (got '0')"),
        ("RIVERRUN_KAFKA__REQUEST_TIMEOUT_MS", "9000", "must be at most 0.4 of RIVERRUN_KAFKA__SESSION_TIMEOUT_MS"),
        ("RIVERRUN_SCORING__DEVICE", "abacus", "RIVERRUN_SCORING__DEVICE"),
        ("RIVERRUN_GATEWAY__SCRAPE", "http://a:1/metrics,b:1/metrics", "Wrong setting RIVERRUN_GATEWAY__SCRAPE"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(**{variable: value})
    assert words in str(caught.value)


KAFKA = {
    "BOOTSTRAP_SERVERS": "broker:9093",
    "SECURITY_PROTOCOL": "SASL_SSL",
    "SASL_MECHANISM": "SCRAM-SHA-512",
    "SASL_USERNAME": "agents",
    "SASL_PASSWORD": "quiet-as-a-mouse",
}


def of_kafka(**changes: str) -> dict[str, str]:
    return {f"RIVERRUN_KAFKA__{name}": value for name, value in (KAFKA | changes).items()}


def test_a_way_into_a_secured_kafka_is_read_and_its_secrets_are_never_shown() -> None:
    settings = loaded(HOME="/home/ann", **of_kafka(SSL_CERTFILE="a.pem", SSL_KEYFILE="k.pem", SSL_KEY_PASSWORD="hush"))  # noqa: S106  # of nobody
    assert settings.kafka.sasl_username == "agents"
    shown = f"{settings!r} {settings} {current_values(settings)}"
    assert "quiet-as-a-mouse" not in shown
    assert "hush" not in shown


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"BOOTSTRAP_SERVERS": ""}, ["SECURITY_PROTOCOL=SASL_SSL", "no RIVERRUN_KAFKA__BOOTSTRAP_SERVERS"]),
        ({"SASL_PASSWORD": ""}, ["SECURITY_PROTOCOL=SASL_SSL", "__SASL_PASSWORD and", "__SASL_PASSWORD_FILE"]),
        ({"SASL_PASSWORD_FILE": "/p"}, ["takes one of RIVERRUN_KAFKA__SASL_PASSWORD and"]),
        ({"SASL_MECHANISM": ""}, ["no RIVERRUN_KAFKA__SASL_MECHANISM"]),
        ({"SASL_USERNAME": ""}, ["no RIVERRUN_KAFKA__SASL_USERNAME"]),
        ({"SECURITY_PROTOCOL": "SSL"}, ["RIVERRUN_KAFKA__SASL_MECHANISM is set", "SECURITY_PROTOCOL=SSL has no login"]),
        ({"SECURITY_PROTOCOL": ""}, ["SASL_MECHANISM is set", "SECURITY_PROTOCOL=PLAINTEXT has no login"]),
        ({"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SSL_CAFILE": "ca"}, ["SSL_CAFILE is set", "has no TLS"]),
        ({"SSL_KEYFILE": "key"}, ["RIVERRUN_KAFKA__SSL_KEYFILE is set", "no RIVERRUN_KAFKA__SSL_CERTFILE"]),
        ({"SSL_KEY_PASSWORD": "hush"}, ["RIVERRUN_KAFKA__SSL_KEY_PASSWORD is set"]),
        ({"SECURITY_PROTOCOL": "TLS"}, ["Wrong setting RIVERRUN_KAFKA__SECURITY_PROTOCOL", "SASL_SSL"]),
        ({"SASL_MECHANISM": "GSSAPI"}, ["Wrong setting RIVERRUN_KAFKA__SASL_MECHANISM"]),
    ],
)
def test_what_contradicts_itself_about_kafka_is_named(changes: dict[str, str], names: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(**of_kafka(**changes))
    assert all(name in str(caught.value) for name in names), caught.value
    assert "quiet-as-a-mouse" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_every_setting_is_described() -> None:
    assert all(known_variables().values()), [name for name, text in known_variables().items() if not text]
