import copy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.bench.check import Outcome, RatioFell, Verdict, check, judge
from app.bench.recorded import BenchRecord, Recorded, Setting
from app.bench.suite import Bench, Ratio, benches
from tests.support.bench_figures import made_up

SETTING = Setting("2026-11-22", "a machine", {"riverrun": "0.1.0"})
EVERY = [(bench, ratio) for bench in benches() for ratio in bench.ratios]


class Runs:
    """Benches that print given figures, the last ones again and again."""

    def __init__(self, *turns: dict[str, dict[str, Any]]) -> None:
        self.turns = list(turns)
        self.ran: list[str] = []

    def __call__(self, name: str, _options: Sequence[str]) -> dict[str, Any]:
        turn = self.turns[min(self.ran.count(name), len(self.turns) - 1)]
        self.ran.append(name)
        return turn[name]


def recorded() -> Recorded:
    figures = made_up()
    return Recorded(
        {
            bench.name: BenchRecord(SETTING, figures[bench.name], bench.ratios_in(figures[bench.name]))
            for bench in benches()
        }
    )


def scaled(bench: Bench, ratio: Ratio, factor: float) -> dict[str, dict[str, Any]]:
    """The figures with this one ratio so many times what it was."""
    figures = copy.deepcopy(made_up())
    key, at, place = ratio.name.partition(".")[2].partition("@")
    if at:
        points, mark = ("rates", "events_per_s") if bench.name == "freshness" else ("points", "batch")
        changed = next(each for each in figures[bench.name][points] if each[mark] == float(place))
        changed[key] *= factor
    else:
        figures[bench.name][key] *= factor
    return figures


def compared(runs: Runs, record: Recorded | None = None) -> list[Verdict]:
    return check(benches(), record or recorded(), runs, lambda _line: None)


def outcomes(verdicts: list[Verdict], outcome: Outcome) -> list[str]:
    return [each.name for each in verdicts if each.outcome is outcome]


def test_the_issue_s_ratios_are_all_compared() -> None:
    assert {ratio.name for _, ratio in EVERY} >= {
        "ingest.ratio_quix",
        "ingest.ratio_kafka_streams",
        "freshness.ratio_p50@10",
        "freshness.ratio_p50@100",
        "freshness.ratio_p50@1000",
        "scoring.ratio_bare@512",
        "scoring.continued_ratio_bare@512",
        "recovery.ratio_floor",
        "scale.cost_most_to_fewest_users",
    }


def test_what_is_as_recorded_holds_and_is_measured_once() -> None:
    runs = Runs(made_up())

    verdicts = compared(runs)

    assert outcomes(verdicts, Outcome.HELD) == [ratio.name for _, ratio in EVERY]
    assert runs.ran == [bench.name for bench in benches()]
    judge(verdicts)


@pytest.mark.parametrize(("bench", "ratio"), EVERY, ids=lambda each: each.name)
def test_each_ratio_fails_when_it_is_worse_by_more_than_15_percent(bench: Bench, ratio: Ratio) -> None:
    worse = 0.84 if ratio.higher_is_better else 1.16

    verdicts = compared(runs := Runs(scaled(bench, ratio, worse)))

    assert outcomes(verdicts, Outcome.WORSE) == [ratio.name]
    assert runs.ran.count(bench.name) == 2
    with pytest.raises(RatioFell, match=ratio.name):
        judge(verdicts)


@pytest.mark.parametrize(("bench", "ratio"), EVERY, ids=lambda each: each.name)
def test_each_ratio_may_be_worse_by_14_percent_and_as_much_better_as_it_likes(bench: Bench, ratio: Ratio) -> None:
    for factor in (0.86, 5.0) if ratio.higher_is_better else (1.14, 0.2):
        assert not outcomes(compared(Runs(scaled(bench, ratio, factor))), Outcome.WORSE)


@pytest.mark.parametrize(("bench", "ratio"), EVERY, ids=lambda each: each.name)
def test_one_unlucky_run_does_not_count(bench: Bench, ratio: Ratio) -> None:
    unlucky = scaled(bench, ratio, 0.5 if ratio.higher_is_better else 2.0)

    verdicts = compared(runs := Runs(unlucky, made_up()))

    assert outcomes(verdicts, Outcome.HELD) == [ratio.name for _, ratio in EVERY]
    assert runs.ran.count(bench.name) == 2


def test_a_second_run_says_nothing_about_what_held_in_the_first() -> None:
    first, second = made_up(), made_up()
    first["ingest"]["ratio_quix"] = 0.1
    second["ingest"]["ratio_kafka_streams"] = 0.1

    assert not outcomes(compared(Runs(first, second)), Outcome.WORSE)


def test_a_peer_that_cannot_run_here_is_named_as_skipped() -> None:
    figures = made_up()
    for name in ("ratio_kafka_streams", "ratio_kafka_streams_one_process"):
        figures["ingest"][name] = None

    verdicts = compared(Runs(figures))

    skipped = [each for each in verdicts if each.outcome is Outcome.SKIPPED]
    assert [each.name for each in skipped] == ["ingest.ratio_kafka_streams", "ingest.ratio_kafka_streams_one_process"]
    assert skipped[0].why == "its peer cannot run here"
    judge(verdicts)


def test_a_peer_that_is_gone_in_the_second_run_does_not_save_the_first() -> None:
    fallen, gone = made_up(), made_up()
    fallen["ingest"]["ratio_quix"] = 0.1
    gone["ingest"]["ratio_quix"] = None

    assert outcomes(compared(Runs(fallen, gone)), Outcome.WORSE) == ["ingest.ratio_quix"]


def test_a_check_of_nothing_fails_and_runs_nothing() -> None:
    verdicts = compared(runs := Runs(made_up()), Recorded({"ingest": BenchRecord(SETTING, {}, {})}))

    assert not runs.ran
    assert {each.why for each in verdicts} == {"never recorded"}
    with pytest.raises(RatioFell, match="Nothing was compared"):
        judge(verdicts)
    with pytest.raises(RatioFell, match="Nothing was compared"):
        judge([])


@pytest.mark.parametrize("option", ["--only=ingest", "--json"])
def test_the_command_fails_where_nothing_was_recorded(tmp_path: Path, option: str) -> None:
    command = [sys.executable, "-m", "app.cli.main", "bench", "check", "--file", str(tmp_path / "none.json"), option]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == RatioFell.exit_code, ran.stderr
    assert "ingest.ratio_quix" in ran.stderr
    assert "Nothing was compared" in ran.stderr


def test_the_command_knows_which_benches_there_are() -> None:
    command = [sys.executable, "-m", "app.cli.main", "bench", "check", "--only", "speed"]

    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
