import dataclasses

import pytest

from app.bench.ingest import IngestPlan, summarise
from app.bench.progress import Pace
from app.bench.race import Finish
from app.bench.recovery import Restored, Start
from app.bench.recovery import summarise as summarise_recovery
from app.bench.scale import ScalePlan, ScalePoint
from app.bench.scale import summarise as summarise_scale
from app.bench.seeding import Past
from app.bench.turns import turned

PLAN = IngestPlan(events=1_000, users=100, rounds=3, seed=1)


def finishes(*rates: float) -> list[Finish]:
    return [Finish(Pace(int(rate), 0, 1_000), 0.9, 20.0, 6.0) for rate in rates]


def test_ingest_reports_medians_and_how_many_times_faster_riverrun_is() -> None:
    result = summarise(
        {
            "riverrun": finishes(90_000, 10_000, 80_000),
            "riverrun_one_process": finishes(40_000, 50_000, 60_000),
            "quix": finishes(20_000, 21_000, 19_000),
            "kafka_streams": finishes(40_000, 50_000, 1_000),
            "faust_per_event": finishes(4_000, 4_000, 4_000),
        },
        PLAN,
    )

    assert result.riverrun_events_per_s == 80_000
    assert result.quix_events_per_s == 20_000
    assert result.ratio_quix == 4.0
    assert result.ratio_kafka_streams == 2.0
    assert result.ratio_faust_per_event == 20.0
    assert result.rounds["riverrun"] == [90_000, 10_000, 80_000]
    assert result.riverrun_one_process_events_per_s == 50_000
    assert result.ratio_quix_one_process == 2.5
    assert result.cpu_us_per_event["kafka_streams"] == 20.0
    assert result.broker_cpu_us_per_event["quix"] == 6.0


def test_a_broker_out_of_sight_has_no_figure() -> None:
    unseen = [dataclasses.replace(each, broker_cpu_us_per_event=None) for each in finishes(1, 2)]

    assert not summarise({"riverrun": unseen, "riverrun_one_process": unseen}, PLAN).broker_cpu_us_per_event


def test_a_peer_that_cannot_run_here_is_null() -> None:
    values = summarise({"riverrun": finishes(80_000), "riverrun_one_process": finishes(40_000)}, PLAN).as_json()

    assert values["kafka_streams_events_per_s"] is None
    assert values["ratio_kafka_streams"] is None
    assert values["quix_events_per_s"] is None


def test_the_order_turns_from_round_to_round() -> None:
    assert [turned(["a", "b", "c"], number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_scale_tells_growth_from_the_fewest_workers() -> None:
    points = [
        ScalePoint(1, 10_000, 50_000, 20, 100, 0.8),
        ScalePoint(1, 1_010_000, 45_000, 22, 300, 1.0),
        ScalePoint(2, 10_000, 60_000, 21, 200, 0.8),
        ScalePoint(2, 1_010_000, 90_000, 23, 900, 1.0),
    ]

    result = summarise_scale(points, ScalePlan((1, 2), (10_000, 1_010_000), 20, 1_000, 1))

    assert result.mb_per_million_users == pytest.approx(200)
    assert result.events_per_s_most_to_fewest_users == pytest.approx(0.9)
    assert result.cost_most_to_fewest_users == pytest.approx(1.1)
    assert len(result.as_json()["points"]) == 4


def test_scale_tells_no_growth_from_one_number_of_users() -> None:
    result = summarise_scale([ScalePoint(1, 10_000, 50_000, 20, 100, 0.8)], ScalePlan((1,), (10_000,), 20, 1_000, 1))

    assert result.mb_per_million_users is None
    assert result.events_per_s_most_to_fewest_users is None
    assert result.cost_most_to_fewest_users is None


def test_scale_takes_the_middle_of_the_rounds_of_each_point() -> None:
    rounds = [ScalePoint(1, users, 50_000, cost, 100, 1.0) for cost in (20, 90, 21) for users in (10_000, 20_000)]

    result = summarise_scale(rounds, ScalePlan((1,), (10_000, 20_000), 20, 1_000, 1, rounds=3))

    assert [(point.users, point.cpu_us_per_event) for point in result.points] == [(10_000, 21), (20_000, 21)]
    assert result.cost_most_to_fewest_users == 1.0


def test_recovery_takes_the_middle_of_the_rounds_and_holds_it_against_the_bare_reader() -> None:
    rounds = [
        Restored(Start(9.0, 1_000, speed), Start(2.0, 0, 0.0), floor)
        for speed, floor in ((100_000, 250_000), (1_000, 200_000), (120_000, 190_000))
    ]

    result = summarise_recovery(rounds, Past(1_000, 20, 1), row_bytes=885)

    assert (result.users_per_s, result.floor_users_per_s, result.ratio_floor) == (100_000, 200_000, 0.5)
    assert (result.seconds_from_changelog, result.seconds_local_disk, result.rounds) == (9.0, 2.0, 3)
