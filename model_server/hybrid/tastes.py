"""What speaks for new items to people who come back for things: much of what they take reads like them.

A network says who goes on to what; which brand, size or kind of a thing a household buys is a habit of its own, and in
its counts. Where nobody comes back for anything, this source is silent. Pure: arrays in, arrays out.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from app.interests.state import Kind
from app.surfaces.own_items import OwnItems, own_items
from app.surfaces.touches import Touches
from model_server.counts.entries import Entries
from model_server.items.tastes import TasteTable

_SHARE_AGAIN: Final = 0.1
"""Of a user's items: as many were had on more than one occasion by who comes back for things."""


def tasted(table: TasteTable, touches: Touches) -> Entries:
    """New items that read like what users take who come back for things, by slots.

    Args:
        table: of the new items.
        touches: what B users did, items numbered by slots.
    """
    # Only a user's own items are compared, so any moment will do: time scales all of them alike.
    newest = np.zeros(touches.count, np.int64)
    np.maximum.at(newest, touches.users, touches.ts_ms)
    own = own_items(touches, newest)
    speaks = _comes_back(own, touches.count)[own.users] & (own.kinds >> Kind.DISLIKE & 1 == 0)
    if not speaks.any():
        return Entries(own.users[speaks], own.items[speaks], own.decayed[speaks])
    counts = sparse.csr_array(
        (own.decayed[speaks], (own.items[speaks], own.users[speaks])), shape=(table.worth.shape[1], touches.count)
    )
    found = (table.worth @ counts).T.tocsr()
    users = np.repeat(np.arange(touches.count), np.diff(found.indptr))
    return Entries(users, table.slots[found.indices], found.data.astype(np.float64))


def _comes_back(own: OwnItems, users: int) -> NDArray[np.bool_]:
    """(B,) who does; B is `users`."""
    again = np.bincount(own.users[own.occasions > 1], minlength=users)
    comes: NDArray[np.bool_] = again > _SHARE_AGAIN * np.bincount(own.users, minlength=users)
    return comes
