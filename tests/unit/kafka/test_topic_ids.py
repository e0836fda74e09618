"""What is told where Kafka does not tell its topics' ids."""

from typing import Any

import kafka.admin
import pytest
from kafka.errors import SaslAuthenticationFailedError, UnsupportedVersionError

from app.errors import KafkaUnreachable
from app.kafka import admin
from app.kafka.access import KafkaAccess
from app.kafka.topic_ids import topic_ids


@pytest.mark.parametrize("error", [SaslAuthenticationFailedError, UnsupportedVersionError])
def test_one_broker_that_refuses_what_another_one_took_is_an_outage(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_arguments: Any) -> None:
        raise error

    monkeypatch.setattr(admin, "check_access", lambda access, _timeout_s: access)
    monkeypatch.setattr(kafka.admin, "KafkaAdminClient", refused)
    with pytest.raises(KafkaUnreachable):
        topic_ids(KafkaAccess("nowhere:9092"), ["events"])
