"""What speaks for new items to people who come back for things: what they take again and again reads like them.

A network says who goes on to what; which brand, size or kind of a thing a household buys is a habit of its own, and in
its counts. Only items had on more than one occasion count: where nobody comes back for anything, this source is silent.
Pure: arrays in, arrays out.
"""

import numpy as np
from scipy import sparse

from app.interests.state import Kind
from app.surfaces.own_items import own_items
from app.surfaces.touches import Touches
from model_server.counts.entries import Entries
from model_server.items.tastes import TasteTable


def tasted(table: TasteTable, touches: Touches) -> Entries:
    """New items that read like what users come back for, by slots.

    Args:
        table: of the new items.
        touches: what B users did, items numbered by slots.
    """
    # Only a user's own items are compared, so any moment will do: time scales all of them alike.
    newest = np.zeros(touches.count, np.int64)
    np.maximum.at(newest, touches.users, touches.ts_ms)
    own = own_items(touches, newest)
    again = (own.occasions > 1) & (own.kinds >> Kind.DISLIKE & 1 == 0)
    if not again.any():
        return Entries(own.users[again], own.items[again], own.decayed[again])
    counts = sparse.csr_array(
        (own.decayed[again], (own.items[again], own.users[again])), shape=(table.worth.shape[1], touches.count)
    )
    found = (table.worth @ counts).T.tocsr()
    users = np.repeat(np.arange(touches.count), np.diff(found.indptr))
    return Entries(users, table.slots[found.indices], found.data.astype(np.float64))
