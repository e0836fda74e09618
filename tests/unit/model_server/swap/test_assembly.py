"""One version, put together and warmed up."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from app.kafka.access import KafkaAccess
from app.kafka.topics import load_topics
from app.observability import Metrics
from app.settings import Settings
from model_server import metrics as table
from model_server.installation import Installation
from model_server.items.view import Listing
from model_server.model.serving import Precisions
from model_server.registry.version import ModelVersion
from model_server.swap.assembly import Assembly, assemble, warm_up
from model_server.swap.running import Running
from tests.support.planted import WordEncoder, planted_model

TEXTS = {f"film-{number}": f"words of film {number}" for number in range(60)}
CPU = torch.device("cpu")


INSTALLATION = Installation(
    Settings(), KafkaAccess("nowhere:9092"), load_topics(), "group", CPU, lambda _: WordEncoder(), Precisions(CPU), None
)


def assembled(version: ModelVersion, metrics: Metrics | None = None) -> Assembly:
    """With every item for sale."""
    with ThreadPoolExecutor(1) as redoing:
        assembly = assemble(version, INSTALLATION, metrics or Metrics(table.TABLE), redoing)
    assembly.index.put([Listing(item_id, item_id) for item_id in TEXTS], version.model.texts)
    return assembly


def test_a_version_is_warm_and_its_lists_bear_its_name() -> None:
    assembly = assembled(ModelVersion("v1", Path("v1"), planted_model(TEXTS, WordEncoder())))
    warm_up(assembly)
    assert assembly.scoring.edition.model_version == "v1"
    assert assembly.tally.recent().lists == 0  # nobody was served


def test_what_drifts_is_shown_of_the_version_that_serves_alone() -> None:
    process = Metrics(table.TABLE)

    def shown() -> float | None:
        return process.registry.get_sample_value(table.DRIFT_PSI.name, {"version": "v1", "what": "items"})

    def running() -> Running:
        unseen = Metrics(table.TABLE)
        assembly = assembled(ModelVersion("v1", Path("v1"), planted_model(TEXTS, WordEncoder())), unseen)
        with ThreadPoolExecutor(1) as redoing:
            return Running(assembly, INSTALLATION, process, unseen, redoing)

    def refresh(one: Running) -> None:
        for counter in one.assembly.counting.counters:
            counter.refresh()

    refresh(running())  # it warms up
    assert shown() is None
    serving, retired = running(), running()
    serving.show()
    refresh(serving)
    assert shown() == 0
    serving.hide()
    assert shown() is None
    retired.show()
    retired.hide()
    refresh(retired)  # its tasks end a moment later
    assert shown() is None


def test_a_version_that_ends_is_freed_with_its_last_reader_and_not_by_the_collector() -> None:
    assembly = assembled(ModelVersion("v1", Path("v1"), planted_model(TEXTS, WordEncoder())))
    warm_up(assembly)
    parts = (assembly.index, assembly.scorer, assembly.version.model.network, *assembly.counting.counters)
    held = [weakref.ref(each) for each in parts]
    gc.collect()
    gc.disable()
    try:
        del assembly, parts
        assert [each() for each in held] == [None] * len(held)
    finally:
        gc.enable()
