"""Who asks, and what they may: API keys of servers, short-lived signed tokens of browsers. Pure but for the clock."""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt

from app.errors import SettingsError
from app.gateway.problems import Problem

AUDIENCE: Final = "riverrun"
ALGORITHM: Final = "HS256"
MIN_KEY_CHARACTERS: Final = 16
MIN_SECRET_BYTES: Final = 32
_LEEWAY_S: Final = 5

MISSING: Final = Problem(401, "unauthorized", "Send `Authorization: Bearer <API key or token>`.")
UNKNOWN: Final = Problem(401, "unauthorized", "This API key or token is not valid.")
EXPIRED: Final = Problem(401, "token_expired", "The token has expired; get a new one from your server.")
KEY_ONLY: Final = Problem(403, "forbidden", "This needs an API key; a token is for one visitor's own lists and events.")
TOKENS_OFF: Final = Problem(404, "tokens_not_configured", "Set RIVERRUN_GATEWAY__TOKEN_SECRET to give out tokens.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a server (`user_id` is None), which may do everything, or one visitor."""

    user_id: str | None = None

    @property
    def is_server(self) -> bool:
        """Whether everything is allowed."""
        return self.user_id is None

    def may_act_for(self, user_id: str) -> bool:
        """Whether this caller may read this user's lists and send this user's events."""
        return self.user_id is None or self.user_id == user_id


@dataclass(frozen=True, slots=True)
class AccessRules:
    """How callers are told apart.

    Attributes:
        open_access: nobody is asked.
        keys: API keys.
        token_secret: signs tokens; empty: there are none.
        max_ttl_s: of a token.
    """

    open_access: bool
    keys: Sequence[str]
    token_secret: str
    max_ttl_s: int


def checked(rules: AccessRules) -> AccessRules:
    """The rules, if a gateway may run with them.

    Raises:
        SettingsError: nothing is decided, or a secret is too short to be one.
    """
    if not rules.open_access and not rules.keys:
        raise SettingsError(
            "The gateway has no API keys.",
            hint="Set RIVERRUN_GATEWAY__API_KEYS=<key>[,<key>]; for a demo, RIVERRUN_GATEWAY__OPEN_ACCESS=true.",
        )
    if any(len(key) < MIN_KEY_CHARACTERS for key in rules.keys):
        raise SettingsError(
            f"A key in RIVERRUN_GATEWAY__API_KEYS has fewer than {MIN_KEY_CHARACTERS} characters.",
            hint="`openssl rand -hex 24` makes a good one.",
        )
    if rules.token_secret and len(rules.token_secret.encode()) < MIN_SECRET_BYTES:
        raise SettingsError(
            f"RIVERRUN_GATEWAY__TOKEN_SECRET has fewer than {MIN_SECRET_BYTES} bytes.",
            hint="`openssl rand -hex 32` makes a good one.",
        )
    return rules


class Doorkeeper:
    """Tells who a caller is; `now_s` is seconds since 1970."""

    def __init__(self, rules: AccessRules, now_s: Callable[[], float]) -> None:
        self._rules = rules
        self._now_s = now_s
        self._keys = [_digest(key) for key in rules.keys]

    def caller(self, authorization: str | None, token: str | None = None) -> Caller | Problem:
        """Who sent this `Authorization` header, or this `?token=`, which only streams take."""
        if self._rules.open_access:
            return Caller()
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and credential.strip():
            return self._known(credential.strip())
        return self._visitor(token) if token else MISSING

    def issue(self, user_id: str, ttl_s: int) -> tuple[str, int] | Problem:
        """A token for this visitor, and when it expires (seconds since 1970)."""
        if not self._rules.token_secret:
            return TOKENS_OFF
        if not 0 < ttl_s <= self._rules.max_ttl_s:
            return Problem(422, "invalid_token_request", f"ttl_s must be 1 to {self._rules.max_ttl_s}.", "ttl_s")
        expires_s = int(self._now_s()) + ttl_s
        claims = {"sub": user_id, "aud": AUDIENCE, "exp": expires_s, "iat": int(self._now_s())}
        return jwt.encode(claims, self._rules.token_secret, ALGORITHM), expires_s

    def _known(self, credential: str) -> Caller | Problem:
        digest = _digest(credential)
        # Every key is compared, in constant time: how long it takes tells nothing about any of them.
        if any([hmac.compare_digest(digest, key) for key in self._keys]):
            return Caller()
        return self._visitor(credential)

    def _visitor(self, token: str) -> Caller | Problem:
        if not self._rules.token_secret:
            return UNKNOWN
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._rules.token_secret, [ALGORITHM], audience=AUDIENCE,
                options={"require": ["sub", "aud", "exp"], "verify_exp": False, "verify_iat": False},
            )  # fmt: skip
        except jwt.PyJWTError:
            return UNKNOWN
        expires_s = claims["exp"]
        if not isinstance(expires_s, int | float) or not isinstance(claims["sub"], str) or not claims["sub"]:
            return UNKNOWN
        # The clock is an argument, so the library's own is not asked.
        return Caller(claims["sub"]) if expires_s + _LEEWAY_S > self._now_s() else EXPIRED


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
