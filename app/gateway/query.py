"""Reading what stands behind the question mark. Pure."""

from starlette.requests import Request

from app.gateway.problems import Problem


def number(request: Request, name: str, default: int, least: int, most: int) -> int | Problem:
    """A whole number within bounds."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if least <= value <= most:
        return value
    return Problem(422, "invalid_request", f"{name} must be a whole number from {least} to {most}.", name)


def expands(request: Request) -> bool:
    """Whether `expand=items` is asked for."""
    return "items" in request.query_params.get("expand", "").split(",")
