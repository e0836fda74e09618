"""Which code this is, as a model version remembers it."""

import re
from pathlib import Path

from app.code_version import code_version


def test_it_is_the_version_and_in_a_checkout_the_commit() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(\+[0-9a-f]{12}(\.changed)?)?", code_version())


def test_outside_of_a_repository_it_is_the_version_alone(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    assert re.fullmatch(r"\d+\.\d+\.\d+", code_version(tmp_path / "app"))
