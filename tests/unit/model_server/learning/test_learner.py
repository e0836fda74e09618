"""The loop: what is done when, and what becomes of challengers."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from app.contracts.events import Event
from model_server.commands.models_shown import described
from model_server.learning import metrics as table
from model_server.learning.progress import PROGRESS, Progress, Stage, read_progress
from model_server.registry.champion import champion_of, promote, read_succession, roll_back
from model_server.registry.folders import finished_versions
from model_server.registry.judgement import read_judgement
from model_server.registry.version import TrainedModel
from tests.support.learner import ALIKE, BETTER, WORSE, LearnerOnLog
from tests.support.learning import view
from tests.unit.model_server.registry.test_version import a_model


def visits(count: int) -> list[Event]:
    return [view(f"user-{number % 40}", f"item-{number % 6}", f"e{number}") for number in range(count)]


def learner(folder: Path, events: int, *found: object) -> LearnerOnLog:
    return LearnerOnLog(folder, visits(events), a_model, list(found))  # type: ignore[arg-type]  # figures


def versions(on_log: LearnerOnLog) -> list[str]:
    return [folder.name for folder in finished_versions(on_log.models_dir)]


async def test_the_first_version_is_champion_and_a_better_one_takes_over(tmp_path: Path) -> None:
    on_log = learner(tmp_path, 230, BETTER)
    await on_log.run()
    first, second = versions(on_log)
    succession = read_succession(on_log.models_dir)
    assert succession is not None
    assert succession.champion.version == second
    assert [reign.version for reign in succession.before] == [first]
    assert succession.champion.reason.startswith("`riverrun learn`: it is better: NDCG@10")
    assert on_log.announced == [second]
    [contest] = on_log.asked
    assert (Path(contest.champion).name, Path(contest.challenger).name, contest.live) == (first, second, 20)
    assert described(on_log.models_dir / second)["judged"]["promoted"] is True


async def test_a_worse_one_is_refused_and_its_figures_are_kept(tmp_path: Path) -> None:
    on_log = learner(tmp_path, 230, WORSE)
    await on_log.run()
    first, second = versions(on_log)
    assert champion_of(on_log.models_dir) == first
    judgement = read_judgement(on_log.models_dir / second)
    assert judgement is not None
    assert (judgement.promoted, judgement.champion) == (False, first)
    assert b'"ndcg10"' in bytes(judgement.figures)
    assert on_log.announced == []


async def test_what_shows_no_difference_is_asked_again_about_twice_as_many(tmp_path: Path) -> None:
    on_log = learner(tmp_path, 250, ALIKE, ALIKE)
    await on_log.run()
    assert [contest.live for contest in on_log.asked] == [20, 40]
    assert champion_of(on_log.models_dir) == versions(on_log)[0]


async def test_disk_is_bounded_and_the_champion_stays(tmp_path: Path) -> None:
    on_log = learner(tmp_path, 830, *[WORSE] * 9)
    await on_log.run()
    kept = versions(on_log)
    assert len(kept) == 3  # the champion and the two newest
    assert champion_of(on_log.models_dir) == kept[0]
    assert not [name for name in os.listdir(tmp_path) if name.startswith("training-")]
    assert [name.split(".")[0] for name in sorted(os.listdir(on_log.models_dir)) if "judged" in name] == kept[1:]


async def test_a_challenger_is_dropped_when_somebody_names_another_champion(tmp_path: Path) -> None:
    on_log = learner(tmp_path, 250, ALIKE, BETTER)

    def somebody_promotes() -> None:
        promote(on_log.models_dir, versions(on_log)[1], "by hand", now_ms=9)

    on_log.on_judge = somebody_promotes
    await on_log.run()
    judgement = read_judgement(on_log.models_dir / versions(on_log)[1])
    assert judgement is not None
    assert "another version became champion" in judgement.why


async def test_a_promotion_that_a_guardrail_took_back_is_not_done_again(tmp_path: Path) -> None:
    """Killed just after the promotion; the model servers take the version back before the learner is there again."""
    on_log = learner(tmp_path, 230, BETTER)
    await on_log.run()
    first, second = versions(on_log)
    roll_back(on_log.models_dir, "guardrail", 10, lambda _name: True)
    progress = Progress(stage=Stage.PROMOTING, cut=200, challenger=second, champion=first, reason="r", made=(second,))
    (tmp_path / PROGRESS).write_bytes(msgspec.json.encode(progress))
    await on_log.run()
    assert champion_of(on_log.models_dir) == first
    assert on_log.announced == [second]


async def test_a_training_that_fails_is_tried_again_and_given_up_after_three_times(tmp_path: Path) -> None:
    on_log = learner(tmp_path, 150)
    on_log.failing = 2
    await on_log.run()
    assert len(versions(on_log)) == 1
    hopeless = LearnerOnLog(tmp_path / "hopeless", visits(150), a_model, failing=9)
    await hopeless.run()
    assert versions(hopeless) == []
    assert hopeless.failing == 6
    assert read_progress(tmp_path / "hopeless").cut == 100
    failed = hopeless.metrics.counter(table.FAILED, Stage.TRAINING)
    assert failed._value.get() == 3  # noqa: SLF001  # prometheus has no other way to ask


async def test_a_store_that_was_removed_is_learned_from_again(tmp_path: Path) -> None:
    await learner(tmp_path, 230, WORSE).run()
    made = read_progress(tmp_path).made
    shutil.rmtree(tmp_path / "store")
    again = learner(tmp_path, 130, WORSE)
    await again.run()
    assert read_progress(tmp_path).cut == 100  # trained, on the first hundred of the new store
    assert set(made) <= set(read_progress(tmp_path).made)


async def test_data_of_a_training_and_a_judging_goes_when_they_are_done(tmp_path: Path) -> None:
    (tmp_path / "judging.incomplete").mkdir()
    on_log = learner(tmp_path, 230, ALIKE)  # the log ends before its second look
    during = list[list[str]]()
    on_log.on_judge = lambda: during.append(data_of(tmp_path))
    await on_log.run()
    assert read_progress(tmp_path).stage is Stage.JUDGING
    assert during == [["judging"]]
    assert data_of(tmp_path) == []


def data_of(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(("training", "judging"))]


async def test_a_private_champion_is_not_challenged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def private(cut: int) -> TrainedModel:
        parts = ("epsilon", "delta", "people", "steps", "sample_rate", "noise", "popularity_noise")
        return replace(a_model(cut), metrics={f"private_{part}": 1.0 for part in parts})

    on_log = LearnerOnLog(tmp_path, visits(430), private)
    await on_log.run()
    assert len(versions(on_log)) == 1
    assert on_log.asked == []
    assert caplog.text.count("is private: it is not challenged") == 1
