"""What every ring of the tests shares."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.kafka"]

# The same examples every time, however busy the machine is: what a run says, it says about the change.
settings.register_profile("riverrun", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("riverrun")
