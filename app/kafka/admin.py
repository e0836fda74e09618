"""kafka-python's admin client, with errors of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.errors import KafkaError, KafkaForbidden, KafkaRefused, KafkaUnreachable
from app.kafka.access import KafkaAccess
from app.kafka.probe import PATIENCE_S, check_access


@contextmanager
def admin_client(access: KafkaAccess, timeout_ms: int) -> Iterator[Any]:
    """An admin client for the length of the block.

    Raises:
        KafkaUnreachable: nobody answers.
        KafkaRefused: a broker does not let us in.
        KafkaForbidden: what the block does is not permitted.
        KafkaError: Kafka refuses it otherwise.
    """
    from kafka import errors  # noqa: PLC0415 - slow to import, not for --help
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415 - as above

    # The client keeps a thread for ever if its first connection fails, so that is tried before.
    answering = check_access(access, PATIENCE_S)
    try:
        admin = KafkaAdminClient(
            **answering.arguments(), request_timeout_ms=timeout_ms, bootstrap_timeout_ms=timeout_ms
        )
        try:
            yield admin
        finally:
            admin.close()
    except errors.AuthorizationError as error:
        raise KafkaForbidden(f"Kafka does not permit this to {access.who}: {_in_words(error)}.") from error
    except errors.SaslAuthenticationFailedError as error:  # of another broker than the one that was asked before
        raise KafkaRefused(f"A broker does not let in {access.who}: {_in_words(error)}.") from error
    except errors.KafkaError as error:
        kind = KafkaUnreachable if error.retriable else KafkaError
        raise kind(f"Kafka at {access.bootstrap_servers} refused: {_in_words(error)}.") from error


def _in_words(error: Exception) -> str:
    return " ".join(str(error).split())
