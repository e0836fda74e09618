"""Why a Kafka does not let us in, and which settings to mend."""

import ssl
from dataclasses import dataclass
from typing import Final

from app.kafka.access import KafkaAccess
from app.kafka.wire import ILLEGAL_SASL_STATE, UNSUPPORTED_MECHANISM, LoginRefused

_HOST_NAME_DIFFERS: Final = (62, 64)  # OpenSSL: X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_OURS: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")  # in the names of alerts that speak of our certificate
_VARIABLE: Final = "RIVERRUN_KAFKA__"


@dataclass(frozen=True)
class Refusal:
    """In a few words why, and what to do; no hint where no setting is at fault."""

    why: str
    hint: str = ""


def wants_a_login(access: KafkaAccess) -> Refusal:
    """It speaks with us, but tells us nothing without a login."""
    return Refusal(
        "it wants a user and a password",
        f"Set {_VARIABLE}SECURITY_PROTOCOL=SASL_{access.protocol}, and with it {_VARIABLE}SASL_MECHANISM, "
        f"{_VARIABLE}SASL_USERNAME and {_VARIABLE}SASL_PASSWORD.",
    )


def wants_other_transport(access: KafkaAccess) -> Refusal:
    """It speaks TLS and we do not, or the other way round."""
    other = "PLAINTEXT" if access.tls is not None else "SSL"
    wanted = other if access.login is None else f"SASL_{other}"
    says = "it speaks plain text, without TLS" if other == "PLAINTEXT" else "it speaks TLS, not plain text"
    either = f"{wanted} (or SASL_{wanted})" if access.login is None else wanted
    return Refusal(says, f"Set {_VARIABLE}SECURITY_PROTOCOL={either}, or take the port of another listener.")


def login_refused(error: LoginRefused, access: KafkaAccess) -> Refusal:
    """It refuses our login."""
    if access.login is None:
        raise TypeError("a login was refused where there is none")
    if error.code == UNSUPPORTED_MECHANISM:
        return Refusal(
            f"the mechanism {access.login.mechanism} is not enabled there; it has {error.said or 'none'}",
            f"Set {_VARIABLE}SASL_MECHANISM to one that it has.",
        )
    if error.code == ILLEGAL_SASL_STATE:
        bare = access.protocol.removeprefix("SASL_")
        return Refusal(
            "it asks for no user and no password",
            f"Set {_VARIABLE}SECURITY_PROTOCOL={bare}, or take the port of another listener.",
        )
    return Refusal(
        f"wrong user or password for the user {access.login.username} ({access.login.mechanism})",
        f"Mend {_VARIABLE}SASL_USERNAME, {_VARIABLE}SASL_PASSWORD or {_VARIABLE}SASL_PASSWORD_FILE; "
        "a user of SCRAM has a password for each mechanism.",
    )


def tls_failed(error: ssl.SSLError, host: str, access: KafkaAccess) -> Refusal:
    """One of the two certificates is not accepted, or TLS fails."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _theirs(error, host)
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if not any(each in (error.reason or "") for each in _OURS):
        return Refusal(f"TLS fails: {reason}", f"Check {_VARIABLE}SECURITY_PROTOCOL and the listener's TLS versions.")
    if access.certified:
        return Refusal(
            f"it does not accept our certificate ({reason})",
            f"{_VARIABLE}SSL_CERTFILE must be signed by an authority that the brokers trust, and not have expired.",
        )
    return Refusal(
        "it wants a certificate of ours, and there is none",
        f"Set {_VARIABLE}SSL_CERTFILE and {_VARIABLE}SSL_KEYFILE.",
    )


def _theirs(error: ssl.SSLCertVerificationError, host: str) -> Refusal:
    if error.verify_code in _HOST_NAME_DIFFERS:
        return Refusal(
            f"its certificate is not for the name {host}",
            f"Use a name that is in the certificate: in {_VARIABLE}BOOTSTRAP_SERVERS, and in the brokers' "
            "advertised.listeners.",
        )
    if error.verify_code == _EXPIRED:
        return Refusal("its certificate has expired", "Renew the broker's certificate, or check this machine's clock.")
    return Refusal(
        f"its certificate is not trusted ({error.verify_message})",
        f"Set {_VARIABLE}SSL_CAFILE to the PEM file of the authority that signed the brokers' certificates.",
    )
