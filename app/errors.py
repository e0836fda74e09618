"""Every error that riverrun raises on purpose.

    RiverrunError
    ├── SettingsError        a setting is unknown, wrong or contradicts another one
    ├── KafkaError           the broker, a topic or the local Kafka
    │   ├── KafkaUnreachable
    │   │   └── KafkaRefused one answers, but does not let us in
    │   ├── KafkaForbidden   it lets us in, but not do what we must
    │   ├── KafkaStartFailed
    │   └── TopicMismatch
    ├── StateError           RocksDB tables and their changelogs
    ├── DataError            a data set cannot be fetched or read
    ├── ModelVersionError    a model version is missing, truncated, tampered with or does not fit
    └── ProcessFailed        a process that riverrun started has ended or never became ready

Bad events are no errors: they are values that become dead letters (app.contracts.dead_letters).
The command line prints such an error as one line and exits with its code; anything else is a bug.
"""


class RiverrunError(Exception):
    """Something a person can mend; the message says what happened and what to do.

    Args:
        what: what happened, with what was got and what was wanted.
        hint: what to do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".rstrip()


class SettingsError(RiverrunError):
    """A setting is unknown, wrong or contradicts another one."""

    exit_code = 2


class KafkaError(RiverrunError):
    """The broker, a topic or the local Kafka."""

    exit_code = 3


class KafkaUnreachable(KafkaError):
    """No broker answers at the given address."""


class KafkaRefused(KafkaUnreachable):
    """One answers there, but not to us: encryption, a certificate or a password is not what it wants."""


class KafkaForbidden(KafkaError):
    """Kafka knows us, but does not permit something that we need."""

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="docs/operations.md lists the permissions (ACLs) that each component needs.")


class KafkaStartFailed(KafkaError):
    """The local Kafka could not be started."""


class TopicMismatch(KafkaError):
    """A topic exists, but not as infra/kafka/topics.yml wants it."""


class StateError(RiverrunError):
    """A state table cannot be used as it is."""

    exit_code = 4


class DataError(RiverrunError):
    """A data set cannot be fetched or read."""

    exit_code = 5


class ModelVersionError(RiverrunError):
    """A model version is missing, truncated, tampered with or does not fit."""

    exit_code = 6


class ProcessFailed(RiverrunError):
    """A process that riverrun started has ended or never became ready."""

    exit_code = 7
