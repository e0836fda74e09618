"""Bad input and wrong surroundings, against a real Kafka: nothing good is lost, and everything is said plainly."""

import subprocess
import time
from pathlib import Path

import pytest
from kafka import KafkaProducer

from app.contracts.dead_letters import DeadLetter, decode_dead_letter
from app.contracts.events import Forget, Identify, View, encode_event
from app.interests.state import decode_state
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics
from tests.support.agents import (
    AGENTS,
    agents,
    assert_golden,
    newest_rows,
    produce,
    read_topic,
)
from tests.support.process import REPOSITORY

NOW_MS = int(time.time() * 1000)
GOOD = {
    "good": encode_event(View(event_id="g1", user_id="good", ts_ms=NOW_MS, item_id="i1")),
    "unknown item": encode_event(View(event_id="g2", user_id="unknown item", ts_ms=NOW_MS, item_id="nobody-knows-it")),
    "ancient": encode_event(View(event_id="g3", user_id="ancient", ts_ms=1, item_id="i1")),
    "unknown field": encode_event(View(event_id="g4", user_id="unknown field", ts_ms=NOW_MS, item_id="i1"))[:-1]
    + b',"colour":"red"}',
}
BAD = {
    "malformed": (b'{"event_id": ', "invalid", ""),
    "no utf-8": (b"\xff\xfe", "invalid", ""),
    "wrong type": (b'{"type":"view","event_id":"b1","user_id":"wrong type","ts":"now","item_id":"i"}', "invalid", "ts"),
    "no item": (b'{"type":"view","event_id":"b2","user_id":"no item","ts":1}', "invalid", "item_id"),
    "unknown type": (b'{"type":"dance","event_id":"b3","user_id":"unknown type","ts":1}', "invalid", "type"),
    "future": (
        encode_event(View(event_id="b4", user_id="future", ts_ms=NOW_MS + 10**10, item_id="i1")), "future", "ts",
    ),
    "another's key": (
        encode_event(View(event_id="b5", user_id="somebody", ts_ms=NOW_MS, item_id="i1")), "key_mismatch", "user_id",
    ),
    "null value": (None, "null_value", ""),
    "5 MB": (b"x" * 5_000_000, "too_large", ""),
}  # fmt: skip


def test_bad_input_of_every_kind_becomes_a_dead_letter_and_nothing_good_is_lost(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.access.bootstrap_servers, max_request_size=8_000_000)
    for key, value in GOOD.items():
        producer.send(topics.events.name, value, key=key.encode())
    for key, (bad, _, _) in BAD.items():
        producer.send(topics.events.name, bad, key=key.encode())
    keyless = encode_event(View(event_id="g5", user_id="keyless", ts_ms=NOW_MS, item_id="i1"))
    for partition in range(topics.events.partitions):  # a null key may lie anywhere; sent twice it counts once
        producer.send(topics.events.name, keyless, key=None, partition=partition)
    producer.flush()
    producer.close()
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        worker.wait(
            lambda: worker.metric("riverrun_events_total") >= len(GOOD) + 2 * topics.events.partitions - 1,
            "not every event came home",
        )
        worker.wait_done()
        read, accepted = (worker.metric(f"riverrun_events_{name}_total") for name in ("read", "accepted"))
        assert read - accepted == worker.metric("riverrun_dead_letters_total") == len(BAD)
        assert worker.stop() == 0

    letters: dict[str | None, DeadLetter] = {}
    for record in read_topic(kafka.access.bootstrap_servers, topics.dead_letters.name):
        letter = decode_dead_letter(record.value or b"")
        letters[letter.key] = letter
        assert record.key is not None
        assert record.key.decode() == letter.key
        assert letter.origin.topic == topics.events.name
        assert letter.detail
    assert {key: (letter.reason, letter.field) for key, letter in letters.items()} == {
        key: (reason, field) for key, (_, reason, field) in BAD.items()
    }
    golden = assert_golden(kafka.access.bootstrap_servers, topics, [tmp_path / "a"])
    assert golden.keys() == GOOD.keys() | {"keyless"}
    assert len(decode_state(golden["keyless"]).kinds) == 1


def test_a_log_in_takes_the_interests_along_and_forget_erases_both(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        seen = View(event_id="v", user_id="anon", ts_ms=NOW_MS, item_id="seen-before")
        log_in = Identify(event_id="i", user_id="ada", ts_ms=NOW_MS, anonymous_id="anon")
        produce(kafka.access.bootstrap_servers, topics, [seen, log_in])

        def interests() -> list[str]:
            rows = newest_rows(read_topic(kafka.access.bootstrap_servers, topics.score_requests.name))
            return [each.item_id for each in decode_state(rows["ada"]).interactions()] if "ada" in rows else []

        worker.wait(lambda: interests() == ["seen-before"], "ada did not inherit")
        produce(kafka.access.bootstrap_servers, topics, [Forget(event_id="f", user_id="ada", ts_ms=NOW_MS + 1)])
        worker.wait(
            lambda: newest_rows(read_topic(kafka.access.bootstrap_servers, topics.interests_changelog.name)) == {},
            "ada and her anonymous self were not erased",
        )
        worker.wait_done()
        assert worker.stop() == 0
    assert assert_golden(kafka.access.bootstrap_servers, topics, [tmp_path / "a"]) == {}


def test_an_events_topic_that_was_made_anew_is_refused(kafka: ResolvedKafka, topics: Topics, tmp_path: Path) -> None:
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        assert worker.stop() == 0
    delete_topics(kafka.access, topics)
    deadline = time.monotonic() + 20
    while (
        time.monotonic() < deadline
        and topics.events.name not in (applied := apply_topics(kafka.access, topics)).created + applied.unchanged
    ):
        time.sleep(0.1)
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
        assert worker.ended() == 4
        assert f"{topics.events.name} was deleted and made again" in worker.log
        assert "Traceback" not in worker.log


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": ""}, 2, "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS"),
        ({"RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9"}, 3, "127.0.0.1:9"),
        ({"RIVERRUN_AGENTS__MAX_ITEMS": "many"}, 2, "RIVERRUN_AGENTS__MAX_ITEMS"),
    ],
)
def test_wrong_surroundings_are_one_line_and_an_exit_code(
    environment: dict[str, str], code: int, words: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*AGENTS, "--state-dir", str(tmp_path)], env={"PATH": "/bin"} | environment, cwd=REPOSITORY,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
