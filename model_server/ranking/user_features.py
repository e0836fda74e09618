"""Features of what users did: with the item itself, and how they shop."""

from typing import Final

import numpy as np

from app.data.local_time import MS_PER_DAY
from model_server.ranking.frame import LONG_AGO, Columns, Frame
from model_server.ranking.groups import Numbers, places_within
from model_server.ranking.habits import RATE_DAYS
from model_server.ranking.own import DECAY_A_DAY

_LATELY_DAYS: Final = 30


def own_features(frame: Frame) -> Columns:
    """What the user had of the item: how often, how lately, in what rhythm."""
    own, found, tables = frame.own, frame.in_own, frame.tables
    since = found.summed(own.last_days, LONG_AGO)
    first_days = found.summed(own.first_days, LONG_AGO)
    occasions, decayed = found.summed(own.occasions), found.summed(own.decayed)
    several = own.occasions > 1
    gaps = np.maximum(own.occasions - 1, 1)
    rhythm = found.summed(np.where(several, (own.first_days - own.last_days) / gaps, np.nan), np.nan)
    at_least = np.maximum(rhythm, 0.5)
    again = np.maximum(occasions - 1, 0)
    usual = np.log(tables.habits.rhythm_days[frame.pairs.items])
    leaning = np.exp((np.where(again > 0, np.log(at_least), 0) * again + 2 * usual) / (again + 2))
    recent = {f"own_last{visits}": found.summed(own.recent[:, place]) for place, visits in enumerate((1, 2, 3, 5))}
    return (
        recent
        | _expected(frame, occasions, decayed, first_days)
        | {
            "own_count": found.summed(own.count),
            "own_occasions": occasions,
            "own_decayed": decayed,
            "own_fast": found.summed(own.fast),
            "own_since": since,
            "own_first_days": first_days,
            "own_rhythm": rhythm,
            "own_due": since / at_least,
            "own_item_due": np.where(found.there, since / leaning, np.nan),
            "own_visits_since": since / np.maximum(_visits(frame)["user_gap"], 0.5),
            "own_rate": occasions / (first_days + 14) * 30,
            "own_here": found.summed(own.here),
            "own_share": decayed / frame.decayed_of_owner[frame.pairs.owners],
            "own_place": np.where(found.there, places_within(frame.pairs.owners, decayed), LONG_AGO),
            "own_hazard": decayed * tables.habits.repeat[frame.pairs.items],
            "own_of_type": found.summed(_places_in_type(frame), LONG_AGO),
        }
    )


def _expected(frame: Frame, occasions: Numbers, decayed: Numbers, first_days: Numbers) -> Columns:
    """Visits with the item until the next visit is due: means of gamma posteriors.

    The prior has the item's rate and is worth one visit with it. Days in units of `RATE_DAYS`.
    """
    there, gap = frame.in_own.there, _visits(frame)["user_gap"].astype(np.float64) / RATE_DAYS
    prior_days = 1 / frame.tables.habits.rate[frame.pairs.items]
    left_of_first = DECAY_A_DAY**first_days
    decayed_days = (1 - left_of_first) / (1 - DECAY_A_DAY) / RATE_DAYS
    expected = np.maximum(occasions, 1) / (first_days / RATE_DAYS + prior_days)
    lately = (np.maximum(decayed - left_of_first, 0) + 1) / (decayed_days + prior_days)
    return {
        "own_expected": np.where(there, expected * gap, np.nan),
        "own_lately": np.where(there, lately * gap, np.nan),
    }


def _places_in_type(frame: Frame) -> Numbers:
    """(P,) 0 for what an owner had most of its type."""
    own, types = frame.own, frame.tables.facts.types
    return places_within(own.owners * (int(types.max(initial=0)) + 1) + types[own.items], own.decayed)


def _visits(frame: Frame) -> Columns:
    """The user's pace, as far as the newest interactions tell."""
    lines, users, now_ms = frame.newest, len(frame.moments), frame.moments.now_ms
    count = np.bincount(lines.owners, minlength=users)
    visits, oldest_ms, newest_ms = np.ones(users), now_ms.copy(), now_ms.copy()
    ends = np.cumsum(count)
    some = count > 0
    first, last = (ends - count)[some], ends[some] - 1
    visits[some], oldest_ms[some], newest_ms[some] = lines.visits_ago[first], lines.ts_ms[first], lines.ts_ms[last]
    gap = (newest_ms - oldest_ms) / MS_PER_DAY / np.maximum(visits - 1, 1)
    owners = frame.pairs.owners
    return {
        "user_gap": gap[owners],
        "user_since": ((now_ms - newest_ms) / MS_PER_DAY)[owners],
        "user_size": (count / visits)[owners],
    }


def user_features(frame: Frame) -> Columns:
    """The user, whatever the item."""
    own, users, owners = frame.own, len(frame.moments), frame.pairs.owners
    different = np.bincount(own.owners, minlength=users)
    interactions = np.bincount(own.owners, weights=own.count, minlength=users)
    days = np.zeros(users)
    np.maximum.at(days, own.owners, own.first_days)
    lately = np.bincount(own.owners, weights=own.last_days <= _LATELY_DAYS, minlength=users)
    new = np.bincount(own.owners, weights=own.first_days <= _LATELY_DAYS, minlength=users)
    lines = frame.newest
    at_place = (lines.places == frame.moments.places[lines.owners]) & (lines.places >= 0)
    here = np.bincount(lines.owners, weights=at_place, minlength=users)
    return _visits(frame) | {
        "user_items": different[owners],
        "user_repeats": (1 - different / np.maximum(interactions, 1))[owners],
        "user_days": days[owners],
        "user_new": (new / np.maximum(lately, 1))[owners],
        "user_here": (here / np.maximum(np.bincount(lines.owners, minlength=users), 1))[owners],
    }
