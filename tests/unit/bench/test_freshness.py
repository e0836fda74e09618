from app.bench.freshness import summarise


def test_percentiles_and_their_ratio_come_from_all_rounds_together() -> None:
    ours = [place / 1_000 for place in range(200, 0, -1)]
    echo = [place / 4_000 for place in range(1, 201)]

    (rate,) = summarise({10.0: ours}, {10.0: echo})

    assert (rate.p50_ms, rate.p95_ms, rate.p99_ms) == (100, 190, 198)
    assert (rate.floor_p50_ms, rate.ratio_p50, rate.events) == (25, 4.0, 200)
