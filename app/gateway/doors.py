"""What keeps a request from what it asks for: a problem, or None where nothing does."""

from dataclasses import dataclass

from starlette.requests import Request

from app.gateway.auth import KEY_ONLY, Caller, Doorkeeper
from app.gateway.health import Health
from app.gateway.problems import NOT_READY, Problem


@dataclass(frozen=True, slots=True, eq=False)
class Doors:
    """Who may, and whether lists can be served yet."""

    doorkeeper: Doorkeeper
    health: Health

    def to_user(self, request: Request, user_id: str, *, token: str | None = None) -> Problem | None:
        """To one user's lists; `token` is what stands in the address of a stream."""
        caller = self._caller(request, token)
        if isinstance(caller, Problem):
            return caller
        if not caller.may_act_for(user_id):
            return Problem(403, "forbidden", "The token is for another user's lists.")
        return None if self.health.caught_up else NOT_READY

    def to_all(self, request: Request) -> Problem | None:
        """To what everybody may see who is anybody."""
        caller = self._caller(request)
        return caller if isinstance(caller, Problem) else None

    def to_servers(self, request: Request) -> Problem | None:
        """To what is for servers only."""
        caller = self._caller(request)
        if isinstance(caller, Problem):
            return caller
        return None if caller.is_server else KEY_ONLY

    def _caller(self, request: Request, token: str | None = None) -> Caller | Problem:
        return self.doorkeeper.caller(request.headers.get("authorization"), token)
