"""Figures of the pipeline from the text of `/metrics` pages."""

import pytest

from app.gateway.figures import History, percentile, read_page

NOW_MS = 1_790_000_000_000


def agents(events: int, lag: int = 0, dead: int = 0) -> str:
    return "\n".join(
        [
            "# TYPE riverrun_events_read_total counter",
            f"riverrun_events_read_total {events}",
            "# TYPE riverrun_dead_letters_total counter",
            f'riverrun_dead_letters_total{{reason="invalid"}} {dead}',
            "# TYPE riverrun_lag_events gauge",
            f'riverrun_lag_events{{partition="0"}} {lag}',
            f'riverrun_lag_events{{partition="1"}} {lag}',
            "# TYPE riverrun_batch_events histogram",
            f'riverrun_batch_events_bucket{{le="+Inf"}} {events // 10}',
            f"riverrun_batch_events_count {events // 10}",
            f"riverrun_batch_events_sum {events}",
            "",
        ]
    )


def server(users: int, fallback: int = 0) -> str:
    return "\n".join(
        [
            "# TYPE riverrun_users_scored_total counter",
            f"riverrun_users_scored_total {users}",
            "# TYPE riverrun_fallback_users_total counter",
            f"riverrun_fallback_users_total {fallback}",
            "# TYPE riverrun_model_info gauge",
            'riverrun_model_info{version="v7",device="cpu"} 1',
            "# TYPE riverrun_event_to_recommendation_seconds histogram",
            'riverrun_event_to_recommendation_seconds_bucket{le="0.01"} 0',
            f'riverrun_event_to_recommendation_seconds_bucket{{le="0.02"}} {users}',
            f'riverrun_event_to_recommendation_seconds_bucket{{le="+Inf"}} {users}',
            "",
        ]
    )


def test_rates_shares_and_percentiles_come_from_what_grew() -> None:
    history = History()
    history.add({"a": read_page(agents(1_000)), "m": read_page(server(500))}, 0.0)
    assert not history.complete
    pages = {"a": read_page(agents(1_100, lag=3, dead=2)), "m": read_page(server(540, fallback=4))}
    history.add(pages, 2.0)
    figures = history.figures(pages, 17, NOW_MS)
    assert (figures.events_per_s, figures.lists_per_s, figures.streams_open) == (50.0, 20.0, 17)
    assert (figures.lag_events, figures.dead_letters_total, figures.fallback_share) == (6, 2, 0.1)
    assert (figures.batch_events_mean, figures.batch_users_mean, figures.model_version) == (10.0, None, "v7")
    assert figures.freshness_ms is not None
    assert (figures.freshness_ms.p50, figures.freshness_ms.p95) == (15.0, 19.5)
    assert figures.sources == {"agents": "ok", "model_server": "ok"}


def test_a_process_that_is_away_is_said_to_be_and_counts_on_when_it_is_back() -> None:
    history = History()
    for at_s, events in ((0.0, 1_000), (1.0, 1_100)):
        history.add({"a": read_page(agents(events))}, at_s)
    history.add({}, 2.0)
    gone = history.figures({}, 0, NOW_MS)
    assert gone.sources == {"agents": "away", "model_server": "away"}
    assert (gone.events_per_s, gone.freshness_ms, gone.model_version) == (0.0, None, None)
    pages = {"a": read_page(agents(30))}  # started anew
    history.add(pages, 3.0)
    assert history.figures(pages, 0, NOW_MS).events_per_s == 15.0  # since it was seen last


def test_each_of_several_processes_counts_for_itself() -> None:
    history = History()
    pages = {"m1": read_page(server(1_000)), "m2": read_page(server(10))}
    history.add(pages, 0.0)
    for second in (1, 2, 3):
        pages = {"m1": read_page(server(1_000 + second)), "m2": read_page(server(10 + second))}
        history.add(pages, float(second))
        assert history.figures(pages, 0, NOW_MS).lists_per_s == 2.0


def test_one_that_was_silent_did_not_do_it_all_in_one_second() -> None:
    history = History()
    history.add({"a": read_page(agents(0))}, 0.0)
    for second in range(1, 8):
        history.add({}, float(second))
    pages = {"a": read_page(agents(800))}
    history.add(pages, 8.0)
    assert history.figures(pages, 0, NOW_MS).events_per_s == 100.0


def test_what_is_no_number_counts_as_nothing() -> None:
    history = History()
    for at_s in (0.0, 1.0):
        pages = {
            "a": read_page('riverrun_events_read_total NaN\nriverrun_lag_events NaN\nriverrun_lag_events{p="1"} 2\n')
        }
        history.add(pages, at_s)
    figures = history.figures(pages, 0, NOW_MS)
    assert (figures.events_per_s, figures.lag_events) == (0.0, 2)


def test_only_the_last_ten_seconds_count_for_freshness() -> None:
    history = History()
    history.add({"m": read_page(server(100))}, 0.0)
    history.add({"m": read_page(server(200))}, 1.0)
    for second in range(2, 15):
        pages = {"m": read_page(server(200))}
        history.add(pages, float(second))
    assert history.figures(pages, 0, NOW_MS).freshness_ms is None


@pytest.mark.parametrize(("share", "found"), [(0.5, 1.0), (0.75, 1.5), (0.25, 0.5), (1.0, 2.0)])
def test_percentiles_lie_within_their_bucket(share: float, found: float) -> None:
    assert percentile([(1.0, 50), (2.0, 100), (float("inf"), 100)], share) == pytest.approx(found)


def test_what_lies_above_all_bounds_counts_as_the_last_one() -> None:
    assert percentile([(1.0, 0), (float("inf"), 4)], 0.5) == 1.0
    assert percentile([(1.0, 0), (float("inf"), 0)], 0.5) is None
    assert percentile([], 0.5) is None
