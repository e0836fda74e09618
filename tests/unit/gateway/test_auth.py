"""Who may what: keys, tokens, and how both are refused."""

import jwt
import pytest

from app.errors import SettingsError
from app.gateway.auth import AUDIENCE, EXPIRED, MISSING, UNKNOWN, AccessRules, Caller, Doorkeeper, checked
from app.gateway.problems import Problem

KEY, SECRET = "a-key-of-sixteen-or-more", "a-secret-of-thirty-two-bytes-or-more"
NOW_S = 1_790_000_000.0
RULES = AccessRules(open_access=False, keys=[KEY, "another-key-of-a-server"], token_secret=SECRET, max_ttl_s=3_600)


def doorkeeper(rules: AccessRules = RULES, now_s: float = NOW_S) -> Doorkeeper:
    return Doorkeeper(rules, lambda: now_s)


def token(user_id: str = "ann", ttl_s: int = 900) -> str:
    issued = doorkeeper().issue(user_id, ttl_s)
    assert not isinstance(issued, Problem)
    return issued[0]


@pytest.mark.parametrize("key", RULES.keys)
def test_an_api_key_is_a_server(key: str) -> None:
    caller = doorkeeper().caller(f"Bearer {key}")
    assert isinstance(caller, Caller)
    assert caller.is_server
    assert caller.may_act_for("anybody")


def test_a_token_is_its_visitor_and_nobody_else() -> None:
    caller = doorkeeper().caller(f"bearer {token()}")
    assert caller == Caller("ann")
    assert caller.may_act_for("ann")
    assert not caller.may_act_for("bob")
    assert not caller.is_server


def test_a_stream_takes_its_token_from_the_address_but_never_an_api_key() -> None:
    assert doorkeeper().caller(None, token()) == Caller("ann")
    assert doorkeeper().caller(None, KEY) == UNKNOWN


@pytest.mark.parametrize(
    ("authorization", "problem"),
    [
        (None, MISSING),
        ("", MISSING),
        ("Bearer ", MISSING),
        (f"Basic {KEY}", MISSING),
        ("Bearer wrong", UNKNOWN),
        (f"Bearer {KEY}x", UNKNOWN),
    ],
)
def test_anybody_else_is_refused(authorization: str | None, problem: Problem) -> None:
    assert doorkeeper().caller(authorization) == problem


def test_a_token_ends_when_it_says_so() -> None:
    given = token(ttl_s=60)
    assert doorkeeper(now_s=NOW_S + 59).caller(f"Bearer {given}") == Caller("ann")
    assert doorkeeper(now_s=NOW_S + 66).caller(f"Bearer {given}") == EXPIRED


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "ann", "aud": "elsewhere", "exp": NOW_S + 60},
        {"sub": "ann", "aud": AUDIENCE},
        {"aud": AUDIENCE, "exp": NOW_S + 60},
        {"sub": "", "aud": AUDIENCE, "exp": NOW_S + 60},
        {"sub": "ann", "aud": AUDIENCE, "exp": "soon"},
    ],
)
def test_a_signed_token_of_another_kind_is_refused(claims: dict[str, object]) -> None:
    assert doorkeeper().caller(f"Bearer {jwt.encode(claims, SECRET, 'HS256')}") == UNKNOWN


def test_a_token_with_another_signature_or_none_is_refused() -> None:
    claims = {"sub": "ann", "aud": AUDIENCE, "exp": int(NOW_S) + 60}
    forged = jwt.encode(claims, "another-secret-of-thirty-two-bytes!", "HS256")
    unsigned = jwt.encode(claims, "", "none")
    assert {doorkeeper().caller(f"Bearer {each}") for each in (forged, unsigned)} == {UNKNOWN}


@pytest.mark.parametrize("ttl_s", [0, -1, 3_601])
def test_a_token_lives_neither_for_nothing_nor_for_long(ttl_s: int) -> None:
    refused = doorkeeper().issue("ann", ttl_s)
    assert isinstance(refused, Problem)
    assert (refused.status, refused.field) == (422, "ttl_s")


def test_open_access_asks_nobody() -> None:
    assert doorkeeper(AccessRules(True, [], "", 60)).caller(None) == Caller()


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (AccessRules(False, [], SECRET, 60), "RIVERRUN_GATEWAY__OPEN_ACCESS"),
        (AccessRules(False, ["short"], SECRET, 60), "fewer than 16"),
        (AccessRules(False, [KEY], "short", 60), "TOKEN_SECRET"),
    ],
)
def test_a_gateway_without_a_decision_or_with_weak_secrets_does_not_start(rules: AccessRules, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        checked(rules)
