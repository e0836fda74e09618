"""MovieLens as a shopper would read it."""

from pathlib import Path

import pytest

from app.data.films import readable_title
from app.data.movielens import read_films, read_ratings
from app.errors import DataError


@pytest.mark.parametrize(
    ("source", "readable"),
    [
        ("Toy Story", "Toy Story"),
        ("Usual Suspects, The", "The Usual Suspects"),
        ("Fish Called Wanda, A", "A Fish Called Wanda"),
        ("Enfer, L'", "L'Enfer"),
        ("Good, The Bad and The Ugly, The", "The Good, The Bad and The Ugly"),
        ("Horseman on the Roof, The (Hussard sur le toit, Le)", "The Horseman on the Roof (Le Hussard sur le toit)"),
        ("Cry, the Beloved Country", "Cry, the Beloved Country"),
        ("Lost World: Jurassic Park, The", "The Lost World: Jurassic Park"),
    ],
)
def test_articles_go_to_the_front(source: str, readable: str) -> None:
    assert readable_title(source) == readable


def test_films_have_title_year_and_genres(tmp_path: Path) -> None:
    path = tmp_path / "films"
    path.write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "12\tUsual Suspects, The\t1995\tCrime Thriller\n"
        "267\tunkonwn\tunkonwn\tunknown\n"
        "1412\tLand Before Time III: The Time of the Great Giving (1995)\tV\tAnimation Children's\n"
    )
    suspects, nothing, land = read_films(path)
    assert (suspects.title, suspects.category, suspects.kind) == (
        "The Usual Suspects (1995)",
        ("Crime", "Thriller"),
        "movie",
    )
    assert suspects.attributes == {"year": "1995"}
    assert (nothing.title, nothing.category, nothing.attributes) == ("Unknown film 267", (), {})
    assert land.title == "Land Before Time III: The Time of the Great Giving (1995)"


def test_ratings_come_in_time_order_with_ties_as_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "ratings"
    path.write_text("header\n1\ta\t3\t20\n2\tb\t4\t10\n1\tc\t5\t10\n")
    log = read_ratings(path, ["a", "b", "c"])
    assert [log.item_ids[item] for item in log.items] == ["b", "c", "a"]
    assert log.ts_ms.tolist() == [10_000, 10_000, 20_000]
    assert log.ratings.tolist() == [4, 5, 3]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ratings"
    path.write_text("header\n1\ta\t3\t20\n2\tb\n")
    with pytest.raises(DataError, match="line 3 has 2 columns"):
        read_ratings(path, ["a"])
