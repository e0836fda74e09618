"""The grocer: real products in time order, and what the shop knows of households, leaflets and coupons."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from app.data.complete_journey import read_complete_journey
from app.data.grocer_titles import plain
from app.data.interactions import Dataset
from app.interests.state import Kind

DAY_MS = 86_400_000


def write(folder: Path, name: str, header: str, *rows: tuple[object, ...]) -> None:
    columns = dict(zip(header.split(), zip(*rows, strict=True), strict=True))
    parquet.write_table(pa.table({key: list(values) for key, values in columns.items()}), folder / f"{name}.parquet")


@pytest.fixture
def shop(tmp_path: Path) -> Dataset:
    write(
        tmp_path,
        "products",
        "product_id manufacturer_id department brand product_category product_type package_size",
        (500123, 69, "GROCERY", "Private", "FRZN PIZZA", "PIZZA/PREMIUM (OVER", "12 OZ"),
        (500124, 2, "PRODUCE", "National", "APPLES", "APPLES GALA", "40 LB"),
        (500125, 2, "FUEL", "National", "COUPON/MISC ITEMS", "GASOLINE-REG UNLEADED", None),
        (500126, 2, "MISCELLANEOUS", "National", None, None, None),
        (500127, 2, "COUPON", "National", "COUPONS/STORE & MFG", "COUPONS/STORE & MFG", None),
    )
    early, late = datetime(2017, 1, 2, 4, 59), datetime(2017, 3, 13, 4, 0)  # noqa: DTZ001 - as in the file
    write(
        tmp_path,
        "transactions",
        "household_id store_id basket_id product_id quantity sales_value retail_disc coupon_disc coupon_match_disc"
        " week transaction_timestamp",
        (9, 31, 72, 500123, 2, 5.0, 0.5, 0.25, 0.25, 12, late),
        (7, 30, 71, 500124, 1, 1.5, 0.0, 0.0, 0.0, 12, late),
        (9, 31, 72, 900000, 0, 0.0, 0.0, 0.0, 0.0, 12, late),
        (7, 30, 71, 500125, 9000, 20.0, 0.0, 0.0, 0.0, 12, late),
        (7, 31, 70, 500123, 1, 2.5, 0.0, 0.0, 0.0, 1, early),
    )
    write(
        tmp_path,
        "promotions",
        "product_id store_id display_location mailer_location week",
        (500124, 31, "A", "0", 12),
        (500123, 31, "0", "D", 12),
        (500125, 31, "1", "0", 12),
        (500123, 31, "9", "A", 1),
    )
    write(tmp_path, "demographics", "household_id age income", (9, "19-24", "Under 15K"))
    first, last = datetime(2017, 3, 3), datetime(2017, 4, 9)  # noqa: DTZ001 - local days
    write(
        tmp_path,
        "campaign_descriptions",
        "campaign_id campaign_type start_date end_date",
        (4, "Type B", first, last),
        (2, "Type A", first, last),
    )
    write(tmp_path, "campaigns", "campaign_id household_id", (4, 9))
    write(tmp_path, "coupons", "coupon_upc product_id campaign_id", (51, 500124, 4), (52, 1, 4))
    write(tmp_path, "coupon_redemptions", "household_id coupon_upc campaign_id redemption_date", (9, 51, 4, last))
    return read_complete_journey(tmp_path, tmp_path / "cache")


def test_baskets_come_whole_in_time_order_without_fuel(shop: Dataset) -> None:
    log = shop.interactions
    assert log.places is not None
    assert log.baskets is not None
    assert log.quantities is not None
    assert [log.item_ids[item] for item in log.items] == ["500123", "500124", "500123", "900000"]
    assert [log.user_ids[user] for user in log.users] == ["7", "7", "9", "9"]
    assert [log.place_ids[place] for place in log.places] == ["31", "30", "31", "31"]
    assert log.baskets.tolist() == [0, 1, 2, 2]
    assert log.quantities.tolist() == [1, 1, 2, 0]
    assert log.ts_ms[0] == 1_483_333_140_000
    assert set(log.kinds.tolist()) == {Kind.PURCHASE}
    assert log.take(slice(2, None)).baskets is not None


def test_products_get_titles_that_a_shopper_can_read(shop: Dataset) -> None:
    assert tuple(item.item_id for item in shop.catalog) == shop.interactions.item_ids
    pizza, apples, nameless, unlisted = shop.catalog
    assert pizza.title == "Pizza/premium, Store brand, 12 oz (#0123)"
    assert pizza.category == ("Grocery", "Frozen pizza", "Pizza/premium")
    assert (apples.title, apples.brand) == ("Apples gala, Brand M2 (#0124)", "Brand M2")
    assert nameless.title == "Miscellaneous, Brand M2 (#0126)"
    assert unlisted.title == "Unlisted product 900000"


@pytest.mark.parametrize(
    ("register", "words"),
    [
        ("SEAFOOD-PCKGD", "Seafood-packaged"),
        ("SEAFOOD - SHELF STABLE", "Seafood: shelf stable"),
        ("BREAD:ITALIAN/FRENCH", "Bread: italian/french"),
        ("CHIPS&SNACKS", "Chips & snacks"),
        ("CHRISTMAS  SEASONAL", "Christmas seasonal"),
        ("(HOT", "(hot"),
    ],
)
def test_capitals_become_words(register: str, words: str) -> None:
    assert plain(register) == words


def test_weeks_change_on_mondays_at_midnight_on_the_shops_clock(shop: Dataset) -> None:
    assert shop.shop is not None
    log = shop.interactions
    assert shop.shop.weeks(log.ts_ms).tolist() == [1, 12, 12, 12]
    assert shop.shop.weeks(log.ts_ms - 60_000).tolist() == [1, 11, 11, 11]
    assert shop.shop.weeks(log.ts_ms + 60_000).tolist() == [2, 12, 12, 12]


def test_what_is_promoted_in_a_store_and_week(shop: Dataset) -> None:
    assert shop.shop is not None
    for promotions in (shop.shop.promotions(), shop.shop.promotions()):  # written, then read back
        found = promotions.at(place=1, week=12)
        assert [shop.interactions.item_ids[item] for item in found.items] == ["500123", "500124"]
        assert [promotions.display_labels[code] for code in found.displays] == ["not on display", "in-shelf"]
        assert [promotions.mailer_labels[code] for code in found.mailers] == ["front page feature", "not on ad"]
        for place, week in [(0, 12), (1, 2), (1, 99), (-1, 12), (2, 12), (1, -1)]:
            assert not len(promotions.at(place, week).items)


def test_households_campaigns_and_payments(shop: Dataset) -> None:
    assert shop.shop is not None
    age, income = shop.shop.demographics
    assert (age.name, age.labels, age.codes.tolist()) == ("age", ("19-24",), [-1, 0])
    assert income.labels == ("Under 15K",)
    campaigns = shop.shop.campaigns
    assert campaigns.ids == (2, 4)
    assert [campaigns.type_labels[code] for code in campaigns.types] == ["Type A", "Type B"]
    assert (campaigns.target_campaigns.tolist(), campaigns.target_users.tolist()) == ([1], [1])
    assert (campaigns.coupon_numbers.tolist(), campaigns.coupon_items.tolist()) == ([51], [1])
    assert campaigns.redemption_days.tolist() == campaigns.last_days[1:].tolist() == [17_265]
    assert shop.shop.payments.coupon_discounts.tolist() == [0, 0, 0.5, 0]
