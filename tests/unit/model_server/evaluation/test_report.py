"""The tables, as a terminal of 80 columns shows them."""

import io

from rich.console import Console

from model_server.evaluation.report import ModelReport, Report, tables_of
from model_server.judging.bootstrap import Interval

SURE = Interval(0.0341, 0.0272, 0.0411)
MEASURES = ("hr10", "recall10", "ndcg10", "mrr10", "uncapped_recall10")
VALUES = dict(zip(MEASURES, (0.5878, 0.2134, 0.2093, 0.3698, 0.17), strict=True)) | {"coverage10": 0.0717}


def model(seconds: float) -> ModelReport:
    every = dict.fromkeys(MEASURES, SURE)
    return ModelReport(
        values=VALUES,
        by_seed={0: VALUES},
        intervals=every,
        difference=every,
        fit_seconds=seconds,
        fit_peak_mb=2_833,
        ask_seconds=1.0,
        slices=(),
        popularity=(),
        late={"1 visit": every},
        noisy=None,
    )


def test_no_figure_is_cut_off() -> None:
    report = Report(
        protocol="basket",
        task="discover",
        data="complete-journey",
        users=2_467,
        items=92_172,
        cases=5_601,
        seconds=700.0,
        seeds=(0,),
        parameters={},
        against="own-frequency",
        noise=0,
        results={"riverrun": model(139.8), "decayed-popularity": model(0.0), "own-frequency": model(0.0)},
    )
    screen = io.StringIO()
    for table in tables_of(report):
        Console(file=screen, width=80).print(table)
    shown = screen.getvalue()
    assert "…" not in shown
    for figure in ("0.5878", "0.2134", "0.2093", "0.3698", "139.8", "2,833", "decayed-popularity"):
        assert figure in shown
