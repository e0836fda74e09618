"""What a state says about items: hidden ones and reasons."""

import pytest

from app.interests.state import Interaction, Kind, OlderItem, UserState
from app.surfaces.marks import Anchor, Attachment, anchors, hiding_bits, item_marks
from app.surfaces.surface import Hide
from tests.support.states import rated, state_of


def hidden(state: UserState, *hide: Hide) -> set[str]:
    bits = hiding_bits(hide)
    return {item_id for item_id, mark in item_marks(state, 5).items() if mark & bits}


def test_seen_hides_everything_the_user_had_to_do_with_also_long_ago() -> None:
    old = {"old": OlderItem(1 << Kind.VIEW, 1, 5)}
    state = state_of((Kind.VIEW, "viewed"), (Kind.REMOVE_FROM_CART, "removed"), older=old)
    assert hidden(state, Hide.SEEN) == {"viewed", "removed", "old"}


def test_bought_hides_purchases_only() -> None:
    state = state_of((Kind.VIEW, "viewed"), (Kind.ADD_TO_CART, "cart"), (Kind.PURCHASE, "bought"))
    assert hidden(state, Hide.BOUGHT) == {"bought"}


def test_a_dislike_hides_everywhere_until_a_like() -> None:
    assert hidden(state_of((Kind.DISLIKE, "a"))) == {"a"}
    assert hidden(state_of(rated("a", 1))) == {"a"}
    assert hidden(state_of((Kind.DISLIKE, "a"), (Kind.LIKE, "a"))) == set()


def test_an_emptied_cart_is_no_cart() -> None:
    assert hidden(state_of((Kind.ADD_TO_CART, "a")), Hide.IN_CART) == {"a"}
    assert hidden(state_of((Kind.ADD_TO_CART, "a"), (Kind.REMOVE_FROM_CART, "a")), Hide.IN_CART) == set()
    assert hidden(state_of((Kind.ADD_TO_CART, "a"), (Kind.PURCHASE, "a")), Hide.IN_CART) == set()


def anchors_of(state: UserState, most: int = 10) -> list[Anchor]:
    return anchors(state, item_marks(state, 5), 5, most)


@pytest.mark.parametrize(
    ("did", "attachment"),
    [
        ([(Kind.VIEW, "a")], Attachment.VIEWED),
        ([(Kind.VIEW, "a"), (Kind.CLICK, "a"), (Kind.VIEW, "a")], Attachment.CLICKED),
        ([rated("a", 3)], Attachment.RATED),
        ([rated("a", 5)], Attachment.LIKED),
        ([(Kind.LIKE, "a"), (Kind.VIEW, "a")], Attachment.LIKED),
        ([(Kind.ADD_TO_CART, "a")], Attachment.IN_CART),
        ([(Kind.ADD_TO_CART, "a"), (Kind.REMOVE_FROM_CART, "a")], Attachment.CLICKED),
        ([(Kind.ADD_TO_CART, "a"), (Kind.PURCHASE, "a"), (Kind.VIEW, "a")], Attachment.BOUGHT),
    ],
)
def test_the_strongest_attachment_words_the_reason(
    did: list[tuple[Kind, str] | Interaction], attachment: Attachment
) -> None:
    assert anchors_of(state_of(*did)) == [Anchor("a", attachment)]


def test_a_disliked_item_is_never_a_reason() -> None:
    old = {"c": OlderItem(1 << Kind.DISLIKE, 1, 5)}
    state = state_of((Kind.VIEW, "a"), (Kind.DISLIKE, "a"), rated("b", 2), (Kind.VIEW, "c"), older=old)
    assert anchors_of(state) == []


def test_reasons_come_from_the_newest_items() -> None:
    state = state_of((Kind.PURCHASE, "old"), (Kind.VIEW, "middle"), (Kind.VIEW, "new"), (Kind.VIEW, "middle"))
    assert [anchor.item_id for anchor in anchors_of(state, 2)] == ["middle", "new"]
