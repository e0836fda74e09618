"""A new item borrows from what it reads like."""

import pytest
import torch
from pytest import MonkeyPatch

from model_server.items import borrowing
from model_server.items.borrowing import loans

UNIT = torch.nn.functional.normalize


def lenders(count: int, width: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts and vectors of two kinds of items: the first half is near one text and one vector, the rest near others."""
    generator = torch.Generator().manual_seed(4)
    kind = (torch.arange(count) >= count // 2).long()
    texts, vectors = (
        torch.eye(2, width)[kind] + 0.05 * torch.randn(count, width, generator=generator) for _ in range(2)
    )
    return UNIT(texts, dim=1), UNIT(vectors, dim=1)


def borrowed(texts: torch.Tensor, lender_texts: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    return loans(texts, lender_texts).vectors(vectors)


def test_the_vector_is_the_mean_of_those_that_read_alike() -> None:
    texts, vectors = lenders(200)
    found = borrowed(UNIT(torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0, 0]]), dim=1), texts, vectors)
    assert found[0] @ vectors[:100].mean(dim=0) > 0.95
    assert found[1] @ vectors[100:].mean(dim=0) > 0.95
    assert (found.norm(dim=1) <= 1).all()


def test_of_lenders_who_do_not_agree_the_vector_is_short() -> None:
    texts, vectors = lenders(200)
    alike, between = borrowed(UNIT(torch.tensor([[1.0, 0, 0, 0, 0, 0], [1.0, 1.0, 0, 0, 0, 0]]), dim=1), texts, vectors)
    assert between.norm() < 0.9 * alike.norm()


def test_what_reads_like_nothing_borrows_nothing() -> None:
    texts, vectors = lenders(20)
    assert not borrowed(torch.zeros(1, 6), texts, vectors).any()
    assert not borrowed(texts[:3], texts[:0], vectors[:0]).any()
    assert not borrowed(-texts[:1] * 0.5, texts[:1], vectors[:1]).any()


def test_half_precision_and_blocks_change_nothing(monkeypatch: MonkeyPatch) -> None:
    texts, vectors = lenders(500)
    whole = borrowed(texts[:9], texts, vectors)
    monkeypatch.setattr(borrowing, "_BLOCK", 64)
    monkeypatch.setattr(borrowing, "_AT_ONCE", 600)
    assert torch.allclose(borrowed(texts[:9], texts, vectors), whole, atol=1e-5)
    assert torch.allclose(borrowed(texts[:9], texts.half(), vectors), whole, atol=0.02)


def test_of_too_many_lenders_some_are_asked(monkeypatch: MonkeyPatch) -> None:
    texts, vectors = lenders(400)
    monkeypatch.setattr(borrowing, "LENDERS", 100)
    some = borrowed(texts[:1], texts, vectors)
    assert torch.equal(some, borrowed(texts[:1], texts[::4], vectors[::4]))


def test_lenders_are_numbered_among_all(monkeypatch: MonkeyPatch) -> None:
    texts, _ = lenders(400)
    monkeypatch.setattr(borrowing, "LENDERS", 100)
    found = loans(texts[8:9], texts)
    assert found.lenders[0, 0] == 8
    assert (found.lenders % 4 == 0).all()
    assert torch.allclose(found.likeness[0], texts[found.lenders[0]] @ texts[8], atol=1e-6)


def test_a_taste_is_worth_more_where_not_everybody_shares_it() -> None:
    texts, _ = lenders(200)
    popularity = torch.ones(200)
    popularity[100:] = 9.0
    rare, common = loans(torch.eye(2, 6), texts).tastes(popularity).sum(dim=1).tolist()
    assert rare == pytest.approx(1 / 2)
    assert common == pytest.approx(1 / 10)
    assert not loans(torch.zeros(1, 6), texts).tastes(popularity).any()
