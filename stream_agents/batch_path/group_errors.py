"""What Kafka's group coordination has met, told to somebody.

aiokafka stands still after an error that it does not take for passing (a refused join, a missing permission) until
`check_errors` is called, as its `getmany` does; Faust's way of fetching never calls it. And an exception of the
assignor ends the coordination quietly. Either way the worker would wait for partitions for ever.
"""

from typing import Any, Final

from aiokafka.errors import GroupAuthorizationFailedError, InvalidSessionTimeoutError, TopicAuthorizationFailedError

from app.errors import KafkaForbidden, SettingsError

_LIMITS: Final = "group.min.session.timeout.ms and group.max.session.timeout.ms"


def check_group(coordinator: Any) -> None:
    """Raise what this coordinator (aiokafka's) waits to be asked for; it tries again after that.

    Raises:
        SettingsError: the session timeout is not what the broker takes.
        KafkaForbidden: the worker may not be in the group, or not read a topic.
        aiokafka.errors.KafkaError: anything else.
    """
    try:
        coordinator.check_errors()
    except InvalidSessionTimeoutError as error:
        session_timeout_ms = coordinator._session_timeout_ms  # noqa: SLF001  # checked at start (compatibility.py)
        raise SettingsError(
            f"Kafka takes no worker with RIVERRUN_KAFKA__SESSION_TIMEOUT_MS={session_timeout_ms}.",
            hint=f"It must lie between the brokers' {_LIMITS} (6,000 and 1,800,000 unless somebody set them).",
        ) from error
    except GroupAuthorizationFailedError as error:
        raise KafkaForbidden(f"Kafka does not let this worker into the group {coordinator.group_id}.") from error
    except TopicAuthorizationFailedError as error:
        raise KafkaForbidden(f"Kafka does not let this worker read a topic: {error}.") from error
