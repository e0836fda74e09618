"""What the access log shows of a request."""

from app.gateway.application import _shown_path


def test_a_log_line_stays_one_line_and_hides_tokens() -> None:
    scope = {"path": "/v1/users/ann\nforged line/recommendations", "query_string": b"token=secret&surface=a%0Ab"}
    assert _shown_path(scope) == "/v1/users/ann%0Aforged%20line/recommendations?token=***&surface=a%0Ab"
