"""A person's own file: mapped, checked, and every complaint names the place."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from app.data.formats.names import Format
from app.data.interactions import Dataset
from app.data.mapping import catalog_mapping
from app.data.source import DataSource, open_dataset
from app.data.tables import read_catalog
from app.errors import DataError
from app.interests.state import Kind

MAP = "user=customer_id,item=sku,ts=time"


def load(path: Path, text: str = MAP, catalog: Path | None = None, catalog_text: str = "") -> Dataset:
    source = DataSource(data=str(path), format=Format.TABLE, map=text, catalog=catalog, catalog_map=catalog_text)
    return open_dataset(source, path.parent, lambda _message: None)


def csv_file(folder: Path, *lines: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_csv_file_comes_in_time_order_with_ties_as_they_stand(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, "customer_id,sku,time,junk", "ann,tea,300,x", "bob,cup,100,x", "ann,pot,300,x", "bob,tea,200,x"
    )
    log = load(path).interactions
    assert [log.item_ids[item] for item in log.items] == ["cup", "tea", "tea", "pot"]
    assert [log.user_ids[user] for user in log.users] == ["bob", "bob", "ann", "ann"]
    assert log.ts_ms.tolist() == [100_000, 200_000, 300_000, 300_000]
    assert set(log.kinds.tolist()) == {Kind.VIEW}


@pytest.mark.parametrize(
    ("cell", "ts_ms"),
    [
        ("1700000000", 1_700_000_000_000),
        ("1700000000.25", 1_700_000_000_250),
        ("1700000000000", 1_700_000_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000_000),
        ("2023-11-14", 1_699_920_000_000),
    ],
)
def test_times_are_read_as_people_write_them(tmp_path: Path, cell: str, ts_ms: int) -> None:
    assert load(csv_file(tmp_path, "customer_id,sku,time", f"ann,tea,{cell}")).interactions.ts_ms.tolist() == [ts_ms]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    columns = {
        "customer_id": [7, 8],
        "sku": [1.0, 2.0],
        "time": [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), datetime(2023, 11, 14, tzinfo=UTC)],
        "what": ["purchase", "click"],
        "stars": [None, 4.5],
    }
    parquet.write_table(pa.table(columns), path)
    log = load(path, MAP + ",type=what,rating=stars").interactions
    assert [log.user_ids[user] for user in log.users] == ["8", "7"]
    assert [log.item_ids[item] for item in log.items] == ["2", "1"]
    assert log.kinds.tolist() == [Kind.CLICK, Kind.PURCHASE]
    assert log.ratings[0] == 4.5


def test_parquet_of_other_writers_is_read_as_it_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    columns = {
        "user_id": pa.array([b"ann", b"bob"]),  # text that is not marked as such
        "item_id": ["tea", "cup"],
        "ts": pa.array([1_600_000_000_123_456_717, 1_600_000_001_000_000_001], pa.timestamp("ns")),
    }
    parquet.write_table(pa.table(columns), path)
    log = load(path, "").interactions
    assert log.user_ids == ("ann", "bob")
    assert log.ts_ms.tolist() == [1_600_000_000_123, 1_600_000_001_000]
    parquet.write_table(pa.table(columns | {"user_id": [["ann"], ["bob"]]}), path)
    with pytest.raises(DataError, match="wanted an id of 1 to 256 characters"):
        load(path, "")


def test_a_category_may_be_a_number_or_a_list_with_holes(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    for cells, categories in (([7, None], [("7",), ()]), ([["Food", None, "Tea"], []], [("Food", "Tea"), ()])):
        parquet.write_table(pa.table({"item_id": ["a", "b"], "title": ["A", "B"], "category": cells}), path)
        assert [item.category for item in read_catalog(path, catalog_mapping(""))] == categories


def test_one_column_may_be_two_fields(tmp_path: Path) -> None:
    log = load(csv_file(tmp_path, "customer_id,sku,time", "ann,tea,1", "bob,cup,2"), MAP + ",basket=customer_id")
    assert log.interactions.baskets is not None
    assert log.interactions.baskets.tolist() == [0, 1]


def test_files_of_a_folder_have_the_same_columns(tmp_path: Path) -> None:
    csv_file(tmp_path, "customer_id,sku,time", "ann,tea,1", name="a.csv")
    csv_file(tmp_path, "customer_id,sku,time,rating", "ann,cup,2,5", name="b.csv")
    with pytest.raises(DataError, match=r"b\.csv and .*a\.csv do not have the same columns: rating"):
        load(tmp_path)


def test_wire_names_need_no_mapping_and_other_events_are_left_out(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path, "user_id,item_id,ts,type", "ann,tea,1,view", "ann,cup,2,impression", "ann,pot,3,add_to_cart"
    )
    log = load(path, "").interactions
    assert log.kinds.tolist() == [Kind.VIEW, Kind.ADD_TO_CART]


def test_ratings_without_types_are_rates(tmp_path: Path) -> None:
    log = load(csv_file(tmp_path, "customer_id,sku,time,rating", "ann,tea,1,3", "ann,cup,2,")).interactions
    assert log.kinds.tolist() == [Kind.RATE, Kind.RATE]


def test_the_catalog_gives_titles_and_items_nobody_touched(tmp_path: Path) -> None:
    log = csv_file(tmp_path, "customer_id,sku,time", "ann,tea,1", "ann,mystery,2")
    catalog = csv_file(
        tmp_path,
        "id,name,path,maker,cost,colour",
        "pot,A pot,Kitchen > Pots,Acme,12.5,red",
        'tea,"Tea, green",Food|Drinks,,,',
        name="items.csv",
    )
    fields = "item=id,title=name,category=path,brand=maker,price=cost,attribute:shade=colour"
    data = load(log, MAP, catalog, fields)
    pot, tea, mystery = data.catalog
    assert (pot.title, pot.category, pot.brand, pot.price) == ("A pot", ("Kitchen", "Pots"), "Acme", 12.5)
    assert pot.attributes == {"shade": "red"}
    assert (tea.title, tea.category, tea.price) == ("Tea, green", ("Food", "Drinks"), None)
    assert mystery.title == "mystery"
    assert tuple(item.item_id for item in data.catalog) == data.interactions.item_ids
    assert data.fingerprint != load(log).fingerprint


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("ann,,5", r"log.csv row 2, column 'sku': got nothing, wanted an id"),
        (",tea,5", r"log.csv row 2, column 'customer_id': got nothing"),
        ("ann,tea,", r"row 2, column 'time': got nothing, wanted epoch seconds"),
        ("ann,tea,yesterday", r"row 2, column 'time': got 'yesterday'"),
        ("ann,tea,nan", r"row 2, column 'time': got 'nan'"),
        ("ann,tea,-5", r"row 2, column 'time': got '-5', wanted a time from 1970 to 3000"),
        ("ann,tea,9e20", r"row 2, column 'time': got '9e20'"),
        (f"ann,{'x' * 300},5", r"row 2, column 'sku': got 'xxx"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(csv_file(tmp_path, "customer_id,sku,time", "ann,tea,1", row))


def test_an_unknown_type_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "customer_id,sku,time,type", "ann,tea,1,bought")
    with pytest.raises(DataError, match=r"row 1, column 'type': got 'bought', wanted one of view, .*purchase"):
        load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user=customer,item=sku,ts=time", r"no column 'customer' for 'user'.*--map user=customer_id"),
        ("item=sku,ts=time", r"no column 'user_id' for 'user'"),
        ("user=customer_id,item=sku,ts=time,type=what", r"no column 'what' for 'type'"),
        ("user", r"--map has 'user', wanted field=column"),
        ("usr=customer_id", r"unknown field 'usr'"),
        ("user=a,user=b", r"names 'user' twice"),
    ],
)
def test_a_wrong_mapping_says_how(tmp_path: Path, text: str, message: str) -> None:
    path = csv_file(tmp_path, "customer_id,sku,time", "ann,tea,1")
    with pytest.raises(DataError, match=message):
        load(path, text)


def test_a_catalog_with_an_item_twice_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "item_id,title", "tea,Tea", "tea,Tea again")
    with pytest.raises(DataError, match=r"row 2, column 'item_id': got 'tea', wanted an id that is there once"):
        read_catalog(path, catalog_mapping(""))


def test_a_price_that_is_none_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "item_id,title,price", "tea,Tea,cheap")
    with pytest.raises(DataError, match=r"row 1: Expected `float.*price"):
        read_catalog(path, catalog_mapping(""))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.txt", b"a", "is no table: none of .parquet, .csv"),
        ("log.parquet", b"not parquet", "cannot be read"),
        ("log.csv", b"a,b\n1,2\n1\n", "line 3: got '1', wanted 2 cells, there are 1"),
        ("log.csv", b"", "cannot be read"),
    ],
)
def test_an_unreadable_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}.*{message}"):
        load(tmp_path / name, "user=a,item=b,ts=a")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no data set and no file"):
        load(tmp_path / "nowhere.csv")


def test_a_folder_is_read_file_by_file_and_rows_are_counted_in_each(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"user_id": [1, 2], "item_id": ["a", "b"], "ts": [5, 4]}), tmp_path / "part-0.parquet")
    parquet.write_table(pa.table({"user_id": ["2"], "item_id": ["a"], "ts": [3]}), tmp_path / "part-1.parquet")
    (tmp_path / "_SUCCESS").touch()
    log = load(tmp_path, "").interactions
    assert [(log.user_ids[u], log.item_ids[i]) for u, i in zip(log.users, log.items, strict=True)] == [
        ("2", "a"), ("2", "b"), ("1", "a"),
    ]  # fmt: skip
    parquet.write_table(
        pa.table({"user_id": ["2", None], "item_id": ["a", "b"], "ts": [3, 4]}), tmp_path / "part-1.parquet"
    )
    with pytest.raises(DataError, match=r"part-1.parquet row 2, column 'user_id': got nothing"):
        load(tmp_path, "")


def test_cells_may_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    path = csv_file(tmp_path, 'customer_id,"sku",time', '"ann","tea, ""green""\nloose",5', "bob,cup,noon")
    with pytest.raises(DataError, match=r"row 2, column 'time': got 'noon'"):
        load(path)
    path = csv_file(tmp_path, 'customer_id,"sku",time', '"ann","tea, ""green""\nloose",5')
    assert load(path).interactions.item_ids == ('tea, "green"\nloose',)


def test_a_gzipped_csv_file(tmp_path: Path) -> None:
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(b"user_id,item_id,ts\nann,tea,5\n"))
    assert load(tmp_path / "log.csv.gz", "").interactions.item_ids == ("tea",)
