"""`riverrun evaluate` from a file to its table, its line and its page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.data.formats.names import Format
from app.data.source import DataSource
from app.errors import DataError
from app.settings import Settings
from model_server.evaluation.request import EvaluationRequest
from model_server.evaluation.session import run_evaluation


@pytest.fixture
def walks(tmp_path: Path) -> EvaluationRequest:
    """Forty people who walk round twenty items from random places: what comes next is known."""
    starts = np.random.default_rng(4).integers(20, size=40)
    lines = [
        f"u{user} " + " ".join(f"i{(start + step) % 20}" for step in range(8)) for user, start in enumerate(starts)
    ]
    path = tmp_path / "walks.txt"
    path.write_text("\n".join(lines))
    return EvaluationRequest(
        protocol="loo",
        task="",
        source=DataSource(str(path), Format.SEQUENCES),
        models=("popularity", "covisitation"),
        against="",
        choices=None,
        seeds=(0,),
        versions=(),
        train_share=0.6,
        share=1.0,
        max_events=0,
        relearn_days=0,
        repeats=False,
        staleness=False,
        noise=0,
        plots=None,
        threads=0,
        as_json=True,
    )


def settings(tmp_path: Path) -> Settings:
    return Settings(cache_dir=tmp_path / "cache")


def test_the_last_line_is_what_machines_read(
    walks: EvaluationRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_evaluation(walks, settings(tmp_path))
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["protocol"], line["users"], line["items"], line["cases"]) == ("loo", 40, 20, 40)
    assert line["against"] == "covisitation"  # the better one of those that are not riverrun's
    planted, counted = line["results"]["covisitation"], line["results"]["popularity"]
    assert planted["hr10"] == 1.0
    assert planted["ndcg10"] > 0.9
    assert counted["difference"]["ndcg10"][2] < 0  # the whole interval
    assert {"recall10", "mrr10", "coverage10", "gini10", "novelty10", "fit_seconds", "fit_peak_mb"} <= planted.keys()
    low, high = planted["intervals"]["ndcg10"]
    assert low <= planted["ndcg10"] <= high


def test_late_states_and_noise_are_measured_and_shown(
    walks: EvaluationRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = replace(
        walks, protocol="stream", staleness=True, noise=2, plots=tmp_path / "plots", models=("covisitation",)
    )
    report = run_evaluation(asked, settings(tmp_path)).results["covisitation"]
    assert report.late["50 events"]["ndcg10"].mean < report.late["1 event"]["ndcg10"].mean
    assert report.noisy is not None
    assert report.noisy["kept10"].mean < 1
    assert "late by" in capsys.readouterr().out
    page = (tmp_path / "plots" / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 4
    assert 'src="http' not in page
    written = {path.name for path in (tmp_path / "plots").iterdir()}
    assert {f"{name}.{kind}" for name in ("quality", "history", "staleness") for kind in ("png", "svg")} <= written


def test_baskets_are_asked_of_people_who_buy_the_same_again(
    walks: EvaluationRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "baskets.csv"
    lines = [f"u{user},i{user + each},{1_500_000_000 + day * 86_400 + user},purchase" for day in range(6)
             for user in range(12) for each in range(3)]  # fmt: skip
    path.write_text("\n".join(["user_id,item_id,ts,type", *lines]))
    asked = replace(walks, protocol="basket", task="next", source=DataSource(str(path)), models=())
    run_evaluation(asked, settings(tmp_path))
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["task"] == "next"
    assert line["results"]["own-frequency"]["recall10"] == 1.0
    assert line["results"]["decayed-popularity"]["difference"]["ndcg10"][2] < 0


def test_what_takes_an_hour_is_said_though_the_pictures_cannot_be_written(
    walks: EvaluationRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plots" / "report.html").mkdir(parents=True)  # where a file should be
    with pytest.raises(DataError, match="pictures cannot be written"):
        run_evaluation(replace(walks, plots=tmp_path / "plots"), settings(tmp_path))
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["protocol"] == "loo"
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made"):
        run_evaluation(replace(walks, plots=tmp_path / "file" / "plots"), settings(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"against": "ease"}, "does not take part"),
        ({"staleness": True}, "goes with --protocol stream"),
        ({"relearn_days": 7}, "goes with --protocol stream"),
        ({"relearn_days": 7, "protocol": "stream"}, "with --train"),
        ({"task": "next"}, "goes with --protocol basket"),
        ({"versions": (Path("x"),)}, "goes with --protocol stream"),
        ({"models": ("riverrun",)}, "nothing to make riverrun of"),
    ],
)
def test_what_contradicts_itself_is_refused(
    walks: EvaluationRequest, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run_evaluation(replace(walks, **change), settings(tmp_path))  # type: ignore[arg-type]  # field by field
