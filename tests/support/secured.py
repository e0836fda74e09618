"""A real Kafka that wants TLS and a name of everybody, and permits nobody anything that is not granted.

Its plain listener is the back door of the tests: whoever comes through it may do everything.
"""

import random
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from app.kafka.broker_config import HOST, Ports
from app.kafka.local import LocalKafka, local_kafka
from app.kafka.permissions import Operation, Permissions
from app.kafka.ports import free_ports
from app.kafka.topics import Topics
from app.settings import Settings
from tests.support.certificates import Authority

SCRAM: Final = "SCRAM-SHA-512"
NAME: Final = "localhost"  # the certificate's; 127.0.0.1 is not in it
PLAIN_USER: Final = "plain"
_SCRAM_LOGIN: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN_LOGIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """See the module.

    Args:
        local: the broker; its address is the plain listener's.
        login_port: of the listener that wants TLS and a password.
        certificate_port: of the one that wants TLS and a certificate.
        authority: whom the broker trusts, and who signed its certificate.
        plain_password: of the one user who may use the mechanism PLAIN.
    """

    local: LocalKafka
    login_port: int
    certificate_port: int
    authority: Authority
    plain_password: str

    def add_user(self, name: str, password: str | None = None) -> str:
        """Let somebody in by SCRAM, or change the password; gives it."""
        password = password or secrets.token_hex(8)
        with self.admin() as admin:
            failed = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(name, SCRAM, password)])
        assert failed == {name: None}, failed
        return password

    def remove_user(self, name: str) -> None:
        """Let nobody of that name in any more."""
        with self.admin() as admin:
            admin.alter_user_scram_credentials([UserScramCredentialDeletion(name, SCRAM)])

    def grant(self, name: str, permissions: Permissions, topics: Topics) -> None:
        """Permit exactly that."""
        wanted = [
            _acl(name, operation, ResourceType.TOPIC, topics.by_role()[role].name)
            for role, operations in permissions.topics.items()
            for operation in operations
        ]
        if permissions.group:
            wanted.append(_acl(name, Operation.READ, ResourceType.GROUP, permissions.group))
        self._change(wanted, "create_acls")

    def revoke(self, name: str, operation: Operation, topic: str) -> None:
        """Take one permission away."""
        self._change([_acl(name, operation, ResourceType.TOPIC, topic)], "delete_acls")

    def login(self, name: str, password: str) -> dict[str, str]:
        """The settings of a process that comes with a password."""
        return _variables(
            bootstrap_servers=f"{NAME}:{self.login_port}",
            security_protocol="SASL_SSL",
            ssl_cafile=str(self.authority.file),
            sasl_mechanism=SCRAM,
            sasl_username=name,
            sasl_password=password,
        )

    def certified(self, name: str) -> dict[str, str]:
        """The settings of a process that comes with a certificate."""
        return _variables(
            bootstrap_servers=f"{NAME}:{self.certificate_port}",
            security_protocol="SSL",
            ssl_cafile=str(self.authority.file),
            ssl_certfile=str(self.authority.issue("client.invalid", name)),
        )

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """kafka-python's admin client, through the back door."""
        admin = KafkaAdminClient(**self.local.access.arguments())
        try:
            yield admin
        finally:
            admin.close()

    def _change(self, acls: Iterable[ACL], how: str) -> None:
        with self.admin() as admin:
            result = getattr(admin, how)(list(acls))
        assert not (result["failed"] if isinstance(result, dict) else ()), result


@contextmanager
def secured_kafka(settings: Settings, folder: Path) -> Iterator[SecuredKafka]:
    """A broker for the length of the block."""
    more = free_ports(random.SystemRandom())
    authority, password = Authority(folder / "certificates"), secrets.token_hex(8)
    otherwise = partial(_properties, more=more, authority=authority, plain_password=password)
    with local_kafka(settings, lambda _: None, data_dir=folder / "data", otherwise=otherwise) as local:
        yield SecuredKafka(local, more.broker, more.controller, authority, password)


def _properties(ports: Ports, more: Ports, authority: Authority, plain_password: str) -> Mapping[str, str | int]:
    clients = f"PLAINTEXT://{HOST}:{ports.broker},LOGIN://{{0}}:{more.broker},CERTIFICATE://{{0}}:{more.controller}"
    users = f'user_{PLAIN_USER}="{plain_password}"'
    return {
        "listeners": f"{clients.format(HOST)},CONTROLLER://{HOST}:{ports.controller}",
        "advertised.listeners": clients.format(NAME),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,LOGIN:SASL_SSL,CERTIFICATE:SSL,CONTROLLER:PLAINTEXT",
        "listener.name.login.sasl.enabled.mechanisms": f"{SCRAM},PLAIN",
        "listener.name.login.scram-sha-512.sasl.jaas.config": _SCRAM_LOGIN,
        "listener.name.login.plain.sasl.jaas.config": f"{_PLAIN_LOGIN} {users};",
        "listener.name.certificate.ssl.client.auth": "required",
        "listener.name.certificate.ssl.principal.mapping.rules": r"RULE:^.*CN=([^,]+).*$/$1/",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.issue(NAME, "broker")),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:ANONYMOUS",
    }


def _acl(name: str, operation: Operation, kind: ResourceType, resource: str) -> ACL:
    pattern = ResourcePattern(kind, resource)
    return ACL(f"User:{name}", "*", ACLOperation[operation.name], ACLPermissionType.ALLOW, pattern)


def _variables(**settings: str) -> dict[str, str]:
    return {f"RIVERRUN_KAFKA__{name.upper()}": value for name, value in settings.items()}
