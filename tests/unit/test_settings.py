"""Settings: read once, checked, and named when they are wrong."""

import os
from unittest import mock

import pytest

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


def test_every_setting_is_described() -> None:
    assert all(known_variables().values()), [name for name, text in known_variables().items() if not text]
