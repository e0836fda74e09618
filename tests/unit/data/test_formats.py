"""Published formats: some lines as published, odd ones among them, become exactly these interactions."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from app.data.formats.names import Format
from app.data.formats.registry import READERS, recognise
from app.data.formats.sequences import START_MS
from app.data.interactions import Dataset
from app.data.source import DataSource, open_dataset
from app.errors import DataError
from app.interests.state import Kind
from tests.support.published import (
    AMAZON_2014,
    AMAZON_2018,
    AMAZON_2023,
    DIGINETICA,
    MOVIELENS_1M,
    MOVIELENS_CSV,
    OTTO,
    RECBOLE,
    RETAILROCKET,
    YOOCHOOSE,
)


def folder_of(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def load(path: Path, **options: object) -> Dataset:
    source = DataSource(data=str(path), **options)  # type: ignore[arg-type]  # keyword by keyword
    return open_dataset(source, path.parent, lambda _message: None)


def events(dataset: Dataset) -> list[tuple[str, str, str, int]]:
    log = dataset.interactions
    columns = zip(log.users, log.items, log.kinds, log.ts_ms, strict=True)
    return [(log.user_ids[u], log.item_ids[i], Kind(int(kind)).name, int(ts)) for u, i, kind, ts in columns]


def test_movielens_1m(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, MOVIELENS_1M))
    assert events(data) == [
        ("2", "1193", "RATE", 978_298_413_000),
        ("1", "1193", "RATE", 978_300_760_000),
        ("1", "661", "RATE", 978_302_109_000),
    ]
    assert data.interactions.ratings.tolist() == [4, 5, 3]
    peach, city, nothing = data.catalog
    assert peach.category == ("Animation", "Children's", "Musical")
    assert city.title == "The City of Lost Children (La Cité des enfants perdus) (1995)"
    assert nothing.title == "Unknown film 9"


def test_movielens_csv(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, MOVIELENS_CSV) / "ratings.csv")
    assert events(data) == [("2", "11", "RATE", 1_147_868_817_000), ("1", "296", "RATE", 1_147_880_044_000)]
    assert np.isnan(data.interactions.ratings[0])
    assert [film.title for film in data.catalog] == [
        "The American President (1995)",
        "Pulp Fiction (1994)",
        "Babylon 5",
    ]
    assert data.catalog[2].category == ()


@pytest.mark.parametrize("files", [MOVIELENS_1M, MOVIELENS_CSV, RETAILROCKET, YOOCHOOSE, DIGINETICA])
def test_packed_files_say_what_plain_ones_do(tmp_path: Path, files: Mapping[str, bytes]) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.mkdir()
    packed.mkdir()
    expected = load(folder_of(plain, files))
    got = load(folder_of(packed, {f"{name}.gz": gzip.compress(content) for name, content in files.items()}))
    assert events(got) == events(expected)
    assert got.catalog == expected.catalog


def test_a_header_in_quotes_is_named_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text('"userId","movieId","rating","timestamp"\n1,2,3,4\n')
    with pytest.raises(DataError, match="has no column 'userId'; it has \"userId\""):
        load(tmp_path / "ratings.csv", format=Format.MOVIELENS_CSV)


def test_amazon_2014(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, AMAZON_2014))
    assert events(data) == [
        ("A2S166WSCFIFP5", "0002051850", "RATE", 1_071_100_800_000),
        ("A10000012B7CGYKOMPQ4L", "000100039X", "RATE", 1_355_616_000_000),
    ]
    assert np.isnan(data.interactions.ratings[0])
    prophet, unlisted = data.catalog
    assert (prophet.title, prophet.category, prophet.price) == ("The Prophet & more", ("Books", "Poetry"), 9.99)
    assert unlisted.title == "0002051850"


def test_amazon_2018(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, AMAZON_2018))
    assert events(data) == [("APV13CM0919JD", "B001GXRQW0", "RATE", 1_229_644_800_000)]
    (card,) = data.catalog
    assert (card.title, card.brand, card.price, card.description) == ("Card", "Amazon", 25.0, "A card")


def test_amazon_2023(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, AMAZON_2023))
    assert events(data) == [("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B00YQ6X8EQ", "RATE", 1_588_687_728_923)]
    (howard,) = data.catalog
    assert (howard.brand, howard.category, howard.price) == ("Howard Products", ("All Beauty",), None)


@pytest.mark.parametrize(
    "content",
    [
        b"A1C6M8LCIX4M6M,0001713353,5.0,1123804800\n",
        b"0001713353,A1C6M8LCIX4M6M,5.0,1123804800\n",
        b"user_id,parent_asin,rating,timestamp\nA1C6M8LCIX4M6M,0001713353,5.0,1123804800000\n",
    ],
)
def test_amazon_ratings_alone_whichever_way_around(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Books.csv").write_bytes(content)
    assert events(load(tmp_path / "Books.csv")) == [("A1C6M8LCIX4M6M", "0001713353", "RATE", 1_123_804_800_000)]


def test_retailrocket(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, RETAILROCKET))
    assert events(data) == [
        ("257597", "355908", "VIEW", 1_433_221_332_117),
        ("257597", "248676", "ADD_TO_CART", 1_433_221_999_827),
        ("599528", "356475", "PURCHASE", 1_433_222_276_276),
    ]
    known = {item.item_id: (item.category, item.price) for item in data.catalog}
    assert known == {"355908": (("213", "1016"), 552.0), "248676": ((), 39.996), "356475": ((), None)}


def test_yoochoose(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, YOOCHOOSE)
    data = load(folder)
    assert events(data) == [
        ("1", "214536502", "CLICK", 1_396_867_869_277),
        ("1", "214536502", "PURCHASE", 1_396_867_920_000),
        ("2", "214536500", "CLICK", 1_396_868_049_868),
    ]
    assert data.interactions.quantities is not None
    assert data.interactions.quantities[1] == 2
    assert len(load(folder / "yoochoose-clicks.dat").interactions) == 2


def test_otto(tmp_path: Path) -> None:
    assert events(load(folder_of(tmp_path, OTTO))) == [
        ("0", "1517085", "CLICK", 1_659_304_800_025),
        ("5", "1517085", "PURCHASE", 1_659_304_900_000),
        ("0", "1563459", "ADD_TO_CART", 1_659_304_904_511),
    ]


def test_diginetica(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, DIGINETICA)
    data = load(folder)
    assert events(data) == [
        ("1", "81766", "VIEW", 1_462_752_526_309),
        ("1", "31331", "VIEW", 1_462_753_031_018),
        ("1", "31331", "PURCHASE", 1_462_753_100_000),
    ]
    known = {item.item_id: (item.category, item.price) for item in data.catalog}
    assert known == {"31331": (("1096",), None), "81766": ((), 1024.0)}
    views = DIGINETICA["train-item-views.csv"].replace(b"sessionId;userId;itemId", b"session_id;user_id;item_id")
    (folder / "train-item-views.csv").write_bytes(views)
    assert len(load(folder / "train-item-views.csv").interactions) == 2


def test_recbole(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, RECBOLE))
    assert events(data) == [("186", "302", "RATE", 881_250_940_000), ("196", "242", "RATE", 881_250_949_000)]
    kolya, unlisted = data.catalog
    assert (kolya.title, kolya.category) == ('Kolya "the boy"', ("Comedy", "War"))
    assert unlisted.title == "302"


@pytest.mark.parametrize("name", ["paper.txt", "paper.txt.gz"])
def test_sequences_keep_every_users_order_and_interleave_by_position(tmp_path: Path, name: str) -> None:
    text = "u1 a b  c\n\nu2\tb\tä\nnobody\n   \n10 a\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    log = load(tmp_path / name).interactions
    assert [(log.user_ids[u], log.item_ids[i]) for u, i in zip(log.users, log.items, strict=True)] == [
        ("u1", "a"), ("u2", "b"), ("10", "a"), ("u1", "b"), ("u2", "ä"), ("u1", "c"),
    ]  # fmt: skip
    assert ((log.ts_ms - START_MS) // 1_000).tolist() == [0, 0, 0, 1, 1, 2]


def test_pairs_keep_every_users_order(tmp_path: Path) -> None:
    (tmp_path / "paper.txt").write_text("1 7\n1 8\n2 7\n1 9\n")
    log = load(tmp_path / "paper.txt").interactions
    assert recognise(tmp_path / "paper.txt") is Format.PAIRS
    assert [(log.user_ids[u], log.item_ids[i]) for u, i in zip(log.users, log.items, strict=True)] == [
        ("1", "7"), ("2", "7"), ("1", "8"), ("1", "9"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.dat", b"1::2::3::978300760\n1::2::978300760\n", r"line 2: got '1::2::978300760', wanted a line like 1::"),
        ("r.dat", b"1::2::3::978300760\n1::x::3::978300760\n", r"line 2, column 'movieId': got 'x', wanted a whole"),
        ("ratings.csv", b"userId,movieId,rating,timestamp\n1,2,bad,978300760\n", r"line 2, column 'rating': got 'bad'"),
        ("yoochoose-clicks.dat", b"1,2014-04-07T10:51:09.277Z,2,0\n\n1,noon,2,0\n", r"line 3, column 'time': got '"),
        (
            "events.csv",
            b"timestamp,visitorid,event,itemid,transactionid\n1433221332117,1,view,2,\n1433221332117,1,stare,2,\n",
            r"line 3, column 'event': got 'stare', wanted one of view, addtocart, transaction",
        ),
        ("s.txt", b"a x y\n\nb y\na z z\n", r"line 4: user 'a' stands on line 1 already.*--format pairs"),
        ("s.txt", b"a x y\n\nb y " + b"z" * 300, r"line 3, column 'item': got 'zzz.*an id of 1 to 256 characters"),
        ("o.jsonl", b'{"session": 1, "events": []}\n{"session": 1, "events": [{"aid": 1}]}\n', r"line 2: got .*ts"),
        ("o.jsonl", b'{"session": 1, "events": []}\n{"session": 1, "eve', r"line 2: got .*truncated"),
        (
            "r.json",
            b'{"reviewerID": "A1", "asin": "B", "unixReviewTime": 5}\n{"reviewerID": "A1", "unixReviewTime": 5}\n',
            r"line 2: got .*asin",
        ),
        ("h.inter", b"user_id:token\titem_id:token\trating:float\n", r"has no column for the time: timestamp or time"),
        ("u.txt", b"1 2 3 881250949\n", r"starts with '1 2 3 881250949', which is of no format.*--format, one of"),
        ("empty.txt", b"", r"starts with '', which is of no format"),
        ("binary.bin", b"\x00\xff\x00", r"which is of no format"),
        ("no.jsonl", b'{"name": 1}\n', r"which is of no format"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / name)
    assert name in str(caught.value)


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a.xml": b"", "b.xml": b""})
    with pytest.raises(DataError, match=r"has a.xml, b.xml, which is of no format"):
        load(tmp_path)


def test_pairs_with_a_word_too_many_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("1 7\n\n1 8 9\n")
    with pytest.raises(DataError, match=r"line 3: got '1 8 9', wanted a user and an item"):
        load(tmp_path / "p.txt", format=Format.PAIRS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": Format.OTTO, "map": "user=u"}, "--map is for tables"),
        ({"newest_events": 5}, "has no times"),
        ({"catalog_map": "item=a"}, "--catalog-map needs --catalog"),
        ({"min_events": 3}, "No user and item .* have 3 events"),
    ],
)
def test_options_that_contradict_one_another(tmp_path: Path, options: dict[str, object], message: str) -> None:
    (tmp_path / "s.txt").write_text("a x y\n")
    with pytest.raises(DataError, match=message):
        load(tmp_path / "s.txt", **options)


def test_a_catalog_describes_the_items_of_any_format(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("a x y\n")
    (tmp_path / "items.csv").write_text("item_id,title\ny,Why\nz,Zed\n")
    data = load(tmp_path / "s.txt", catalog=tmp_path / "items.csv")
    assert [item.title for item in data.catalog] == ["Why", "Zed", "x"]
    assert events(data)[1][1] == "y"


def test_users_and_items_with_few_events_are_dropped_in_turns(tmp_path: Path) -> None:
    # z falls with its one event, so c falls, so y is left with two.
    (tmp_path / "s.txt").write_text("a x y\nb x y\nc y z\n")
    data = load(tmp_path / "s.txt", min_events=2)
    assert [event[:2] for event in events(data)] == [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")]
    assert [item.item_id for item in data.catalog] == ["x", "y"]
    assert data.fingerprint != load(tmp_path / "s.txt").fingerprint


def test_the_newest_events_are_those_of_the_whole_log(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,ts\na,x,5\nb,y,3\nb,z,5\nc,x,4\n")
    data = load(tmp_path / "log.csv", newest_events=2)
    assert [event[:2] for event in events(data)] == [("a", "x"), ("b", "z")]
    assert data.interactions.user_ids == ("a", "b")


def test_baskets_places_and_quantities_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "user_id,item_id,ts,basket_id,place,quantity\na,x,5,b7,,2\na,y,5,b7,Ulm,\na,z,6,,Ulm,1\n"
    )
    log = load(tmp_path / "log.csv").interactions
    assert log.baskets is not None
    assert log.places is not None
    assert log.quantities is not None
    assert log.baskets.tolist() == [0, 0, -1]
    assert (log.places.tolist(), log.place_ids) == ([-1, 0, 0], ("Ulm",))
    assert log.quantities.tolist()[::2] == [2, 1]


def test_every_format_is_documented() -> None:
    documented = (Path(__file__).parents[3] / "docs/data.md").read_text(encoding="utf-8")
    assert set(READERS) | {Format.AUTO, Format.TABLE} == set(Format)
    assert not [name for name in Format if name is not Format.AUTO and f"| `{name}` |" not in documented]
