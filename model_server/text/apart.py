"""A text encoder in a process of its own, of low priority.

Encoding a catalogue takes minutes and must delay no click. In a thread it would: tokenising and loading hold the
interpreter's lock, and a thread of low priority that holds it while the machine is busy keeps everybody waiting
(DECISIONS.md has the figures). The process starts with the first text and ends when its input does: with its parent,
however that ends.
"""

import struct
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.errors import DataError, ModelVersionError
from model_server.text.encoder import OnProgress

_LENGTH: Final = struct.Struct("<Q")
_WIDEST: Final = 32  # texts in one message: what is asked for is answered soon


class Encoded(msgspec.Struct, frozen=True):
    """What the process answers: float32 vectors, one behind the other, or why there are none."""

    vectors: bytes = b""
    error: str = ""
    misfits: bool = False  # the fine-tuned weights


class EncoderApart:
    """A `TextEncoder` (model_server.text.encoder).

    Args:
        fingerprint: of the encoder behind.
        dimension: of its vectors.
        command: starts the process.
        weights: the fine-tuned ones, as safetensors; empty for none. The process is told them first.
    """

    def __init__(self, fingerprint: str, dimension: int, command: Sequence[str], weights: bytes = b"") -> None:
        self.fingerprint = fingerprint
        self.dimension = dimension
        self._command = list(command)
        self._weights = weights
        self._process: subprocess.Popen[bytes] | None = None
        self._asking = threading.Lock()  # versions that are served side by side share it

    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        """(len(texts), dimension), in the order of `texts`.

        Raises:
            ModelVersionError: the fine-tuned weights do not fit.
            DataError: the pretrained ones cannot be had, or the process ended; the next call starts another.
        """
        parts = [np.zeros((0, self.dimension), np.float32)]
        for start in range(0, len(texts), _WIDEST):
            part = list(texts[start : start + _WIDEST])
            with self._asking:
                answer = self._ask(part)
            if answer.error:
                raise ModelVersionError(answer.error) if answer.misfits else DataError(answer.error)
            parts.append(np.frombuffer(answer.vectors, "<f4").astype(np.float32).reshape(len(part), self.dimension))
            if on_progress is not None:
                on_progress(start + len(part), len(texts))
        return np.concatenate(parts)

    def _ask(self, texts: list[str]) -> Encoded:
        process, fresh = self._process, self._process is None
        if process is None:
            process = self._process = subprocess.Popen(  # noqa: S603  # our own module
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert process.stdin is not None  # noqa: S101  # for the type
        assert process.stdout is not None  # noqa: S101  # for the type
        try:
            if fresh:
                send(process.stdin, self._weights)
            send(process.stdin, msgspec.msgpack.encode(texts))
            message = receive(process.stdout)
        except OSError:
            message = None
        if message is None:
            code = self.close()
            raise DataError(f"The text encoder's process ended with exit code {code}.", hint="Its log stands above.")
        return msgspec.msgpack.decode(message, type=Encoded)

    def close(self) -> int | None:
        """End the process; its exit code, None where there is none."""
        process, self._process = self._process, None
        if process is None:
            return None
        with process:  # closes its pipes, waits for its end
            if process.stdin is not None:
                with suppress(OSError):  # it is dead, and something was not sent
                    process.stdin.close()
        return process.returncode


def send(stream: IO[bytes], message: bytes) -> None:
    """Write one message."""
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """Read one message; None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size: int = _LENGTH.unpack(head)[0]
    message = stream.read(size)
    return message if len(message) == size else None
