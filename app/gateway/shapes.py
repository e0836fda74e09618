"""The JSON of the gateway's answers as types, for its documentation; the code passes lists on without decoding."""

from msgspec import Struct

from app.contracts.catalog import CatalogItem
from app.contracts.recommendations import Cause, RecommendedItem
from app.gateway.catalog import ShownItem
from app.gateway.posting import Stored


class ListItem(RecommendedItem, frozen=True):
    """One place of a list; `item` with `expand=items` only, null for what the catalog no longer has."""

    item: ShownItem | None = None


class RecommendationList(Struct, frozen=True):
    """One user's list of one surface. `known` is false for a newcomer: then it is the list for newcomers."""

    user_id: str
    known: bool
    surface: str
    surfaces: list[str]
    recommendation_id: str | None
    state_version: int
    generated_ts: int | None
    model_version: str | None
    variant: str | None
    cause: Cause | None
    requested_ts: int | None
    gateway_ts: int | None
    items: list[ListItem]
    reflects: bool | None = None


class Accepted(Struct, frozen=True):
    """Kafka has all of the events."""

    accepted: int
    events: list[Stored]


class Items(Struct, frozen=True):
    """Items of the catalog."""

    items: list[CatalogItem]


class ChangedUser(Struct, frozen=True):
    """A user whose lists changed."""

    user_id: str
    state_version: int
    generated_ts: int


class Users(Struct, frozen=True):
    """The newest first."""

    users: list[ChangedUser]


class Readiness(Struct, frozen=True):
    """Whether this gateway should get requests."""

    ok: bool
    why: str


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """What is wrong. `field` and `index` name the place where there is one."""

    code: str
    message: str
    field: str = ""
    index: int | None = None


class Error(Struct, frozen=True):
    """The shape of every refusal."""

    error: ErrorBody
