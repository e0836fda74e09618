"""What every ring of the tests shares."""

pytest_plugins = ["tests.support.kafka"]
