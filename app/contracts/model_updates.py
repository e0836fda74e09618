"""Which model version is served: the messages of the `model-updates` topic (JSON, one key).

They only say that it is time to look into the models folder, which holds the truth; whoever sees one without that
folder knows at least who is champion.
"""

from typing import Final

import msgspec
from msgspec import Struct

SCHEMA_VERSION: Final = 1
KEY: Final = b"champion"


class ModelUpdate(Struct, frozen=True, kw_only=True):
    """A version became the champion; `since` in ms since 1970, `restored` when one after it was taken back."""

    schema_version: int = SCHEMA_VERSION
    version: str
    since_ms: int = msgspec.field(name="since")
    reason: str
    restored: bool = False


_decoder = msgspec.json.Decoder(ModelUpdate)
_encoder = msgspec.json.Encoder()


def decode_model_update(value: bytes) -> ModelUpdate:
    """The update in these bytes.

    Raises:
        msgspec.DecodeError: the bytes are none.
    """
    return _decoder.decode(value)


def encode_model_update(update: ModelUpdate) -> bytes:
    """The update as JSON bytes."""
    return _encoder.encode(update)
