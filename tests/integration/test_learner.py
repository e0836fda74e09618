"""`riverrun learn` on a real Kafka, with real trainings: killed with -9, like its trainer, it goes on where it was."""

import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyarrow as pa
import torch
from pyarrow import parquet

from app.contracts.events import Event, Forget, View
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from model_server.learning.manifest import read_manifest
from model_server.registry.champion import champion_of
from model_server.registry.folders import finished_versions
from model_server.registry.judgement import Judgement, read_judgement
from model_server.registry.load import load_version
from tests.support.agents import produce
from tests.support.process import WAIT_S, ServiceProcess

USERS, ITEMS = 60, 30
OPTIONS = {"epochs": 1, "dimension": 16, "heads": 2, "hidden": 16, "max_length": 10, "members": 1}
SETTINGS = {
    "RIVERRUN_LEARNING__AFTER_EVENTS": "500",
    "RIVERRUN_LEARNING__EVERY_H": "0",
    "RIVERRUN_LEARNING__FIRST_LOOK": "300",
    "RIVERRUN_LEARNING__LOOKS": "1",
    "RIVERRUN_LEARNING__ERASE_WITHIN_S": "0",
    "RIVERRUN_LEARNING__NICENESS": "2",
}


class Learner(ServiceProcess):
    """One `riverrun learn` process, and its folders."""

    def __init__(self, bootstrap_servers: str, topics: Topics, folder: Path) -> None:
        self.store, self.models = folder / "learning" / "store", folder / "models"
        (folder / "options.json").write_text(json.dumps(OPTIONS))
        super().__init__(
            [sys.executable, "-m", "app.cli.main", "learn", "--topic-prefix", topics.events.name.removesuffix("events"),
             "--state-dir", str(folder / "learning"), "--models-dir", str(self.models), "--metrics-port", "0",
             "--options", str(folder / "options.json")],
            bootstrap_servers, folder / "learn.log", SETTINGS,
        )  # fmt: skip

    def offsets(self) -> dict[int, int]:
        return read_manifest(self.store).offsets

    def trainer(self) -> psutil.Process | None:
        """The child that trains."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if "train" in child.cmdline()[1:5]:
                    return child
            except psutil.Error:
                continue
        return None

    def judged(self) -> list[Judgement]:
        found = [read_judgement(folder) for folder in finished_versions(self.models)]
        return [judgement for judgement in found if judgement is not None]

    def rows(self) -> list[tuple[str, str]]:
        segments = read_manifest(self.store).segments
        table = pa.concat_tables([parquet.read_table(self.store / segment.file) for segment in segments])
        return [*zip(table["user"].to_pylist(), table["item"].to_pylist(), strict=True)]


@contextmanager
def learner(kafka: ResolvedKafka, topics: Topics, folder: Path) -> Iterator[Learner]:
    process = Learner(kafka.access.bootstrap_servers, topics, folder)
    try:
        yield process
    finally:
        process.kill()


def walks(first: int, count: int) -> Sequence[Event]:
    """Everybody goes round the catalogue, one item after the other."""
    now_ms = int(time.time() * 1_000) - 3_600_000
    return [
        View(
            event_id=f"e{number}",
            user_id=f"user-{number % USERS}",
            item_id=f"item-{(number % USERS * 7 + number // USERS) % ITEMS}",
            ts_ms=now_ms + number,
        )
        for number in range(first, first + count)
    ]


def test_it_learns_and_is_killed_and_goes_on(kafka: ResolvedKafka, topics: Topics, tmp_path: Path) -> None:
    address = kafka.access.bootstrap_servers
    produce(address, topics, walks(0, 600))
    with learner(kafka, topics, tmp_path) as first:
        first.wait_ready()
        first.wait(lambda: first.trainer() is not None, "it did not train")
        trainer = first.trainer()
        assert trainer is not None
        assert trainer.nice() == 2
        trainer.kill()
        first.wait(lambda: "ended (SIGKILL)" in first.log, "it did not see that its trainer was killed")
        first.wait(lambda: champion_of(first.models) is not None, "there is no champion", 2 * WAIT_S)
        assert first.metric("riverrun_learning_failures_total") == 1
        produce(address, topics, [*walks(600, 600), Forget(event_id="f", user_id="user-3", ts_ms=1_790_000_000_000)])
        first.wait(lambda: first.log.count("training a challenger") == 2, "it did not train again", 2 * WAIT_S)
        first.wait(lambda: first.trainer() is not None, "it did not train again", 2 * WAIT_S)
        first.send(signal.SIGKILL)
        first.process.wait()
    champion = champion_of(first.models)
    assert champion is not None
    load_version(first.models / champion, torch.device("cpu"))
    produce(address, topics, walks(1_200, 300))
    with learner(kafka, topics, tmp_path) as second:
        second.wait(lambda: len(second.judged()) == 1, "nothing was judged", 3 * WAIT_S)
        second.wait(lambda: sum(second.offsets().values()) == 1_501, "not everything was stored")
        assert second.stop() == 0
    [judgement] = second.judged()
    figures = json.loads(bytes(judgement.figures))
    assert judgement.champion == champion
    assert 250 < figures["events"] <= 300
    rows = second.rows()
    wanted = {(event.user_id, event.item_id) for event in walks(0, 1_500) if isinstance(event, View)}  # fmt: skip
    assert {row for row in rows if row[0] != "user-3"} == {row for row in wanted if row[0] != "user-3"}
    assert len([row for row in rows if row[0] != "user-3"]) == 1_500 - 25
    assert len([row for row in rows if row[0] == "user-3"]) <= 5
