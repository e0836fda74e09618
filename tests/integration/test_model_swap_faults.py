"""A champion that is damaged, a server that is killed, and a Kafka that is away: lists go on, and the pointer holds."""

import signal
from pathlib import Path

from app.kafka.access import KafkaAccess
from app.kafka.local import LocalKafka
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import Topics, load_topics
from model_server.registry.champion import promote, roll_back
from tests.support.kafka import unique_prefix
from tests.support.model_server import model_server, offer
from tests.support.swapping import TITLES, Versions, riverrun_models, serves, traffic


def test_a_damaged_champion_is_refused_and_rolled_back_by_command_while_serving_goes_on(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path
) -> None:
    address = kafka.access.bootstrap_servers
    offer(address, topics, TITLES)
    with model_server(address, topics, versions.folder, tmp_path / "log") as server, traffic(address, topics) as flow:
        server.wait_ready()
        weights = versions.folder / versions.unlike / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-1])
        promote(versions.folder, versions.unlike, "past every check", now_ms=2)  # nobody was told: it looks by itself
        server.wait(lambda: server.metric("riverrun_models_refused_total") == 1, "it was not refused")
        assert "model.safetensors is truncated or was changed" in server.log
        flow.flow(0.5)
        flow.wait_answered()
        assert server.get("/readyz")[0] == 200
        assert serves(server, versions.alike)

        roll_back(versions.folder, "damaged", 2, lambda _name: True)
        weights.write_bytes(whole)
        flow.tell(versions.folder, versions.unlike, "mended", now_ms=3)
        flow.flow_until(lambda: flow.last == versions.unlike, "it was not swapped in")
        assert riverrun_models(address, topics, versions, "rollback") == versions.alike
        flow.flow_until(lambda: flow.last == versions.alike, "it was not swapped back")
        flow.flow(0.5)
        flow.wait_answered()
        assert flow.mixed(versions) == []
        assert server.metric("riverrun_models_refused_total") == 1


def test_killed_in_a_warm_up_the_next_one_starts_with_the_champion(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path
) -> None:
    address = kafka.access.bootstrap_servers
    offer(address, topics, TITLES)
    with model_server(address, topics, versions.folder, tmp_path / "a.log") as server:
        server.wait_ready()
        promote(versions.folder, versions.unlike, "better", now_ms=2)
        server.wait(lambda: f"{versions.unlike} is champion" in server.log, "it did not look")
        server.send(signal.SIGKILL)
        server.process.wait()
    with model_server(address, topics, versions.folder, tmp_path / "b.log") as server, traffic(address, topics) as flow:
        server.wait_ready()
        assert serves(server, versions.unlike)
        flow.flow(0.5)
        flow.wait_answered()
        assert {each.lists.model_version for own in flow.answers.values() for each in own} == {versions.unlike}
        assert server.stop() == 0


def test_a_champion_that_changes_while_kafka_is_away_serves_when_it_is_back(
    own_kafka: LocalKafka, versions: Versions, tmp_path: Path
) -> None:
    address = own_kafka.bootstrap_servers
    topics = load_topics().with_prefix(unique_prefix())
    apply_topics(KafkaAccess(address), topics)
    offer(address, topics, TITLES)
    with model_server(address, topics, versions.folder, tmp_path / "log") as server:
        server.wait_ready()
        own_kafka.kill()
        promote(versions.folder, versions.unlike, "better", now_ms=2)
        server.wait(lambda: f"{versions.unlike} must wait" in server.log, "it did not try")
        assert server.get("/healthz")[0] == 200
        own_kafka.start()
        server.wait(lambda: serves(server, versions.unlike), "it was not swapped in")
        with traffic(address, topics) as flow:
            flow.flow(0.5)
            flow.wait_answered()
        assert flow.mixed(versions) == []
        assert server.stop() == 0
