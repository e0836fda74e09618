"""How a list is filled, and how a set of lists is named."""

from collections.abc import Iterable, Mapping

from app.contracts.recommendations import RecommendedItem
from app.surfaces.compose import Candidates, compose, recommendation_id
from app.surfaces.marks import Attachment
from app.surfaces.reasons import because, new_like
from app.surfaces.surface import Source, SourceSpec, Surface


def surface(size: int, *sources: SourceSpec) -> Surface:
    return Surface("home", size, frozenset(), sources)


def offering(offers: Mapping[Source, str]) -> Candidates:
    def candidates(source: Source) -> Iterable[RecommendedItem]:
        return (RecommendedItem(item_id, 1.0, source.value, "") for item_id in offers.get(source, ""))

    return candidates


def ids(of: Surface, offers: Mapping[Source, str]) -> str:
    return "".join(item.item_id for item in compose(of, offering(offers)))


MODEL, NEW, POPULARITY = SourceSpec(Source.FOR_YOU), SourceSpec(Source.NEW, 2), SourceSpec(Source.POPULARITY)


def test_sources_fill_in_their_order_and_no_item_comes_twice() -> None:
    assert ids(surface(5, MODEL, POPULARITY), {Source.FOR_YOU: "abc", Source.POPULARITY: "bxyz"}) == "abcxy"


def test_each_reserved_slot_ends_its_part_of_the_list() -> None:
    offers = {Source.FOR_YOU: "abcdef", Source.NEW: "xyz"}
    assert ids(surface(5, MODEL, NEW, POPULARITY), offers) == "axbcy"
    assert ids(surface(6, MODEL, NEW, POPULARITY), offers) == "abxcdy"


def test_a_source_that_fills_some_of_its_slots_leaves_the_others() -> None:
    offers = {Source.FOR_YOU: "abcdef", Source.NEW: "x"}
    assert ids(surface(6, MODEL, NEW, POPULARITY), offers) == "abxcde"


def test_reserved_slots_of_a_list_with_little_else_come_as_early_as_they_can() -> None:
    assert ids(surface(6, MODEL, NEW), {Source.FOR_YOU: "a", Source.NEW: "xyz"}) == "axy"


def test_reserved_slots_that_stay_empty_go_back_to_the_others() -> None:
    offers = {Source.FOR_YOU: "abcdef", Source.NEW: "a"}
    assert ids(surface(5, MODEL, NEW, POPULARITY), offers) == "abcde"


def test_a_list_is_short_where_there_is_no_more() -> None:
    assert ids(surface(5, MODEL, POPULARITY), {Source.POPULARITY: "ab"}) == "ab"


def test_ids_are_deterministic_and_differ_with_each_part() -> None:
    assert recommendation_id("ada", 7, "m1", "default") == recommendation_id("ada", 7, "m1", "default")
    others = [("bob", 7, "m1", "d"), ("ada", 8, "m1", "d"), ("ada", 7, "m2", "d"), ("ada", 7, "m1", "e")]
    assert len({recommendation_id("ada", 7, "m1", "d")} | {recommendation_id(*each) for each in others}) == 5


def test_reasons_are_sentences_of_bounded_length() -> None:
    assert because(Attachment.LIKED, "Fargo (1996)") == "Because you liked Fargo (1996)"
    assert new_like("Fargo (1996)") == "New: similar to Fargo (1996)"
    assert len(because(Attachment.VIEWED, "x" * 2_000)) < 120
