from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.bench.recorded import Recorded, Setting, read_recorded, record, setting_of
from app.bench.suite import benches
from app.bench.tables import markdown
from app.errors import DataError, ProcessFailed
from tests.support.bench_figures import made_up

SETTING = Setting("2026-11-22", "a machine", {"riverrun": "0.1.0"})


def quiet(_line: str) -> None:
    pass


def test_full_figures_and_the_short_form_s_ratios_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    asked: list[tuple[str, tuple[str, ...]]] = []

    def run(name: str, options: Sequence[str]) -> dict[str, Any]:
        asked.append((name, tuple(options)))
        figures = made_up()[name]
        return figures if tuple(options) == () else figures | {"ratio_quix": 7.0}

    record(path, benches()[:1], SETTING, run, quiet)

    kept = read_recorded(path).benches["ingest"]
    assert asked == [("ingest", benches()[0].full), ("ingest", benches()[0].short)]
    assert kept.setting == SETTING
    assert kept.full["ratio_quix"] == 2.0
    assert kept.short["ingest.ratio_quix"] == 7.0


def test_a_bench_that_fails_leaves_the_others_in_the_record(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"

    def run(name: str, _options: Sequence[str]) -> dict[str, Any]:
        if name == "freshness":
            raise ProcessFailed("it ended")
        return made_up()[name]

    with pytest.raises(ProcessFailed):
        record(path, benches(), SETTING, run, quiet)
    assert list(read_recorded(path).benches) == ["ingest"]

    record(path, benches()[2:], SETTING, run, quiet)
    assert list(read_recorded(path).benches) == ["gateway", "ingest", "recovery", "scale", "scoring"]


def test_there_may_be_no_record_but_no_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    assert read_recorded(path) == Recorded()

    path.write_text('{"benches": 3}')
    with pytest.raises(DataError, match="no record of benchmarks"):
        read_recorded(path)


def test_a_setting_names_machine_and_versions() -> None:
    setting = setting_of(date(2026, 11, 22), "4.1.0")

    assert setting.date == "2026-11-22"
    assert "cores" in setting.machine
    assert setting.versions["Apache Kafka"] == "4.1.0"
    assert {"Python", "riverrun", "aiokafka"} <= setting.versions.keys()


def test_tables_show_every_bench_with_its_ratios(tmp_path: Path) -> None:
    record(tmp_path / "recorded.json", benches(), SETTING, lambda name, _options: made_up()[name], quiet)

    shown = markdown(read_recorded(tmp_path / "recorded.json"))

    for row in (
        "| riverrun, 2 processes | 20,000 | 21.5 | 9.0 |  |  |",
        "| Quix Streams | 20,000 | 21.5 | 9.0 | 2.00 | 2.00 |",
        "| 10 | 12.0 | 12.0 | 12.0 | 4.0 | 4.0 | 4.0 | 3.0 |",
        "| 4,800 (80% of saturation) | 12.0 | 12.0 | 12.0 | 4.0 | 4.0 | 4.0 | 3.0 |",
        "| 1,682 | 2,800 (0.60 · 0.90) | 2,800 (0.60 · 0.90) | 2,800 (0.60 · 0.90) |",
        "| 1,000,000 | 885 | 144,000 | 288,000 | 0.50 | 9.00 | 2.00 |",
        "| 1 | 10,000 | 40,000 | 22.0 | 240 |",
    ):
        assert row in shown, row
    assert shown.count("Machine: a machine; riverrun 0.1.0.") == 1


def test_a_peer_that_did_not_run_has_no_row(tmp_path: Path) -> None:
    figures = made_up()
    for kind in ("rounds", "cpu_us_per_event", "broker_cpu_us_per_event"):
        del figures["ingest"][kind]["quix"]

    recorded = record(tmp_path / "recorded.json", benches()[:1], SETTING, lambda name, _options: figures[name], quiet)

    assert "Quix" not in markdown(recorded)
