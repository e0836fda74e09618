"""`riverrun topics list` and the words in it."""

import json

import pytest
from typer.testing import CliRunner

from app.cli.topics import app, human_ms
from app.errors import KafkaUnreachable


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (2_592_000_000, "30 days"),
        (86_400_000, "1 day"),
        (5_400_000, "90 minutes"),
        (1_500, "1500 ms"),
        (0, "0 ms"),
        (-1, "for ever"),
    ],
)
def test_a_retention_is_told_in_the_largest_whole_unit(milliseconds: int, words: str) -> None:
    assert human_ms(milliseconds) == words


def test_the_list_names_every_topic_in_full_on_a_narrow_screen() -> None:
    shown = CliRunner().invoke(app, ["list"], env={"COLUMNS": "80"}).stdout
    assert "riverrun-agents-interests-changelog" in shown
    assert "30 days" in shown


def test_the_list_is_one_json_object_for_machines() -> None:
    record = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert record["score_requests"]["name"] == "score-requests"
    assert record["events"]["config"]["retention.ms"] == "2592000000"


def test_applying_without_an_address_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIVERRUN_KAFKA__BOOTSTRAP_SERVERS", raising=False)
    result = CliRunner().invoke(app, ["apply"])
    assert isinstance(result.exception, KafkaUnreachable)
    assert "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS" in result.exception.hint
