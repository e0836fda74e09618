"""What a state says about items: hidden ones and reasons."""

import random

import numpy as np
import pytest

from app.interests.state import Interaction, Kind, UserState
from app.surfaces.marks import Attachment, Marks, Pairs
from app.surfaces.surface import Hide
from app.surfaces.touches import history_of, touches_of
from tests.support.states import once, rated, state_of


class Shop:
    """Numbers items as they come up."""

    def __init__(self, *states: UserState) -> None:
        histories = [history_of(state) for state in states]
        self.names = sorted({item_id for each in histories for item_id in (*each.item_ids, *each.older_ids)})
        numbers = {name: number for number, name in enumerate(self.names)}
        self.marks = Marks(touches_of(histories, numbers), 5)

    def hidden(self, *hide: Hide) -> list[set[str]]:
        """Per user the items that are hidden."""
        pairs = self.marks.hidden(hide)
        assert pairs.users.tolist() == sorted(pairs.users)
        found: list[set[str]] = [set() for _ in range(2)]
        for user, item in zip(pairs.users.tolist(), pairs.items.tolist(), strict=True):
            found[user].add(self.names[item])
        return found

    def anchors(self, most: int = 10) -> list[list[tuple[str, Attachment]]]:
        """Per user the anchors."""
        made = self.marks.anchors(most)
        return [
            [(self.names[item], Attachment(attachment)) for item, attachment, real in zip(*row, strict=True) if real]
            for row in zip(made.items.tolist(), made.attachments.tolist(), made.real.tolist(), strict=True)
        ]


def hidden(state: UserState, *hide: Hide) -> set[str]:
    return Shop(state).hidden(*hide)[0]


def test_seen_hides_everything_the_user_had_to_do_with_also_long_ago() -> None:
    old = {"old": once(1 << Kind.VIEW)}
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


def anchors_of(state: UserState, most: int = 10) -> list[tuple[str, Attachment]]:
    return Shop(state).anchors(most)[0]


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
    assert anchors_of(state_of(*did)) == [("a", attachment)]


def test_a_disliked_item_is_never_a_reason() -> None:
    old = {"c": once(1 << Kind.DISLIKE)}
    state = state_of((Kind.VIEW, "a"), (Kind.DISLIKE, "a"), rated("b", 2), (Kind.VIEW, "c"), older=old)
    assert anchors_of(state) == []


def test_reasons_come_from_the_newest_items() -> None:
    state = state_of((Kind.PURCHASE, "old"), (Kind.VIEW, "middle"), (Kind.VIEW, "new"), (Kind.VIEW, "middle"))
    assert [name for name, _ in anchors_of(state, 2)] == ["middle", "new"]


def test_a_batch_says_of_each_user_what_it_says_alone() -> None:
    rng = random.Random(2)
    for _ in range(50):
        states = []
        for _ in range(2):
            did = [
                rated(rng.choice("abcde"), rng.randrange(1, 6))
                if rng.random() < 0.3
                else Interaction(rng.choice("abcde"), rng.choice(list(Kind)), 10_000)
                for _ in range(rng.randrange(12))
            ]
            kinds = [1 << rng.choice(list(Kind)) | 1 << rng.choice(list(Kind)) for _ in range(2)]
            older = {rng.choice("abcxyz"): once(each) for each in kinds}
            states.append(state_of(*did, older=older))
        together = Shop(*states)
        for hide in ((), (Hide.SEEN,), (Hide.BOUGHT,), (Hide.IN_CART,), (Hide.BOUGHT, Hide.IN_CART)):
            assert together.hidden(*hide) == [hidden(state, *hide) for state in states]
        for most in (1, 3, 10):
            assert together.anchors(most) == [anchors_of(state, most) for state in states]


def test_hidden_pairs_of_some_users_are_numbered_anew() -> None:
    pairs = Pairs(np.array([0, 2, 2, 5]), np.array([7, 8, 9, 1])).of(np.array([2, 3, 5]))
    assert pairs.users.tolist() == [0, 0, 2]
    assert pairs.items.tolist() == [8, 9, 1]
