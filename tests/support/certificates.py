"""Certificates for a Kafka of the tests, from an authority of their own."""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


class Authority:
    """Signs certificates and lays them into a folder.

    Args:
        folder: takes the PEM files.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, host: str, name: str) -> Path:
        """A PEM file with a key and its certificate: of a broker at the host, or of a client with the name."""
        issued = self._authority.issue_cert(host, common_name=name)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        pem = self._folder / f"{name}.pem"
        # Java reads PKCS #8 only, which is not what trustme writes.
        pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        for certificate in issued.cert_chain_pems:
            certificate.write_to_path(pem, append=True)
        return pem

    def lock(self, pem: Path, password: str) -> Path:
        """A PEM file with the same key, encrypted."""
        key = load_pem_private_key(pem.read_bytes(), None)
        locked = pem.with_suffix(".key")
        locked.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
        )
        return locked
