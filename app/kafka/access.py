"""The way into a Kafka: its address, and what its brokers want to see of whoever comes.

Whatever connects takes one `KafkaAccess`, and gives its client library the arguments that are made here.
"""

import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.errors import KafkaRefused, SettingsError
from app.settings import KafkaSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to Kafka, by SASL."""

    mechanism: str
    username: str
    password: SecretStr


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """See the module. Without TLS and login: plain text.

    Args:
        bootstrap_servers: host:port[,host:port].
        tls: trusts whoever may sign a broker's certificate, checks its host name, and shows ours if there is one.
        login: for SASL.
        certified: whether `tls` shows a certificate.
    """

    bootstrap_servers: str
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    login: Login | None = None
    certified: bool = False

    @property
    def addresses(self) -> list[str]:
        """Each host:port."""
        return [each.strip() for each in self.bootstrap_servers.split(",")]

    @property
    def protocol(self) -> str:
        """As Kafka names it: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
        transport = "PLAINTEXT" if self.tls is None else "SSL"
        return transport if self.login is None else f"SASL_{transport}"

    @property
    def who(self) -> str:
        """Whom Kafka takes us for, in words."""
        if self.login is not None:
            return f"the user {self.login.username}"
        return "the owner of our certificate" if self.certified else "whoever comes without a name"

    def arguments(self) -> dict[str, Any]:
        """What a client is made with: aiokafka's and kafka-python's take the same."""
        given: dict[str, Any] = {"bootstrap_servers": self.addresses, "security_protocol": self.protocol}
        if self.tls is not None:
            given["ssl_context"] = self.tls
        if self.login is not None:
            given["sasl_mechanism"] = self.login.mechanism
            given["sasl_plain_username"] = self.login.username
            given["sasl_plain_password"] = self.login.password.get_secret_value()
        return given

    def environment(self) -> dict[str, str]:
        """What a child must be told: where a Kafka that we started is. All else it inherits; no secret is handed on."""
        return {"RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers}

    def plain_address(self, wanted_by: str) -> str:
        """The address, for somebody who knows no more than that.

        Raises:
            KafkaRefused: more is needed.
        """
        if self.protocol != "PLAINTEXT":
            raise KafkaRefused(
                f"{wanted_by} speaks plain text only, but RIVERRUN_KAFKA__SECURITY_PROTOCOL={self.protocol}.",
                hint="Unset RIVERRUN_KAFKA__*: a Kafka of its own is then started. Or give it a PLAINTEXT listener.",
            )
        return self.bootstrap_servers


def access_of(kafka: KafkaSettings) -> KafkaAccess:
    """The way into the configured Kafka, with its files read; connects to nothing. Once per process: it warns.

    Raises:
        SettingsError: there is no address, or a file cannot be used; names the variable.
    """
    if not kafka.bootstrap_servers:
        raise SettingsError("No Kafka address is set.", hint="Set RIVERRUN_KAFKA__BOOTSTRAP_SERVERS=host:port.")
    tls = _tls(kafka) if kafka.security_protocol.endswith("SSL") else None
    login = _login(kafka) if kafka.security_protocol.startswith("SASL") else None
    if login is not None and login.mechanism == "PLAIN" and tls is None:
        logger.warning("The password of %s goes to Kafka unencrypted: SASL_PLAINTEXT with PLAIN.", login.username)
    return KafkaAccess(kafka.bootstrap_servers, tls, login, certified=kafka.ssl_certfile is not None)


def _tls(kafka: KafkaSettings) -> ssl.SSLContext:
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        path: Path | None = getattr(kafka, name)
        if path is not None:
            _read(path, name)
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
    except ssl.SSLError as error:
        raise _unusable("ssl_cafile", f"{kafka.ssl_cafile} has no certificate in PEM") from error
    if kafka.ssl_certfile is not None:
        password = kafka.ssl_key_password
        try:
            # A password is always given: OpenSSL would ask for a missing one on the terminal.
            context.load_cert_chain(
                kafka.ssl_certfile, kafka.ssl_keyfile, "" if password is None else password.get_secret_value()
            )
        except ssl.SSLError as error:
            what = f"{kafka.ssl_certfile} and its key: {error.reason or 'no PEM, or SSL_KEY_PASSWORD is wrong'}"
            raise _unusable("ssl_certfile", what) from error
    return context


def _login(kafka: KafkaSettings) -> Login:
    password = kafka.sasl_password
    if kafka.sasl_password_file is not None:
        password = SecretStr(_read(kafka.sasl_password_file, "sasl_password_file").rstrip("\r\n"))
        if not password.get_secret_value():
            raise _unusable("sasl_password_file", f"{kafka.sasl_password_file} is empty")
    if kafka.sasl_mechanism is None or kafka.sasl_username is None or password is None:
        raise TypeError("KafkaSettings lets no SASL through that is not whole")
    return Login(kafka.sasl_mechanism, kafka.sasl_username, password)


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise _unusable(name, f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unusable(name, f"{path} is no text (PEM is)") from error


def _unusable(name: str, what: str) -> SettingsError:
    return SettingsError(f"Wrong setting RIVERRUN_KAFKA__{name.upper()}: {what}.")
