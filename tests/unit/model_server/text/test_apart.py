"""An encoder in a process of its own answers what it is asked, and can die."""

import io
import sys

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import save

from app.errors import DataError, ModelVersionError
from model_server.text.apart import Encoded, EncoderApart, receive, send
from model_server.text.apart_main import Weights, answer_all
from model_server.text.encoder import TextEncoder
from tests.support.model import HashEncoder


def asked(*messages: list[str], weights: bytes = b"") -> io.BytesIO:
    stream = io.BytesIO()
    send(stream, weights)
    for texts in messages:
        send(stream, msgspec.msgpack.encode(texts))
    stream.seek(0)
    return stream


def answered(stream: io.BytesIO) -> list[Encoded]:
    stream.seek(0)
    found = []
    while (message := receive(stream)) is not None:
        found.append(msgspec.msgpack.decode(message, type=Encoded))
    return found


def test_every_message_is_answered_in_its_order() -> None:
    answers, encoder = io.BytesIO(), HashEncoder()
    answer_all(asked(["a", "b"], ["c"]), answers, lambda _: encoder)
    both, one = answered(answers)
    assert np.array_equal(np.frombuffer(both.vectors, np.float32).reshape(2, -1), HashEncoder().encode(["a", "b"]))
    assert np.array_equal(np.frombuffer(one.vectors, np.float32).reshape(1, -1), HashEncoder().encode(["c"]))


def test_an_encoder_that_cannot_be_had_is_looked_for_again() -> None:
    answers, tries = io.BytesIO(), iter([DataError("No weights."), None])

    def load(_: Weights) -> TextEncoder:
        if (error := next(tries)) is not None:
            raise error
        return HashEncoder()

    answer_all(asked(["a"], ["a"]), answers, load)
    first, second = answered(answers)
    assert "No weights." in first.error
    assert not first.vectors
    assert second.vectors
    assert not second.error


def test_fine_tuned_weights_come_first_and_may_not_fit() -> None:
    answers, told = io.BytesIO(), []

    def load(weights: Weights) -> TextEncoder:
        told.append(weights["layer"].tolist())
        raise ModelVersionError("They do not fit.")

    answer_all(asked(["a"], weights=save({"layer": torch.tensor([1.0, 2.0])})), answers, load)
    (answer,) = answered(answers)
    assert told == [[1.0, 2.0]]
    assert answer.misfits


def test_half_a_message_is_the_end() -> None:
    whole = asked(["a"]).getvalue()[8:]  # behind the weights, which are none
    assert receive(io.BytesIO(whole)) == msgspec.msgpack.encode(["a"])
    assert receive(io.BytesIO(whole[:-1])) is None
    assert receive(io.BytesIO(whole[:3])) is None


ONCE = """
import sys, struct
from model_server.text.apart import Encoded, receive, send
import msgspec
assert receive(sys.stdin.buffer) == b"weights"
texts = msgspec.msgpack.decode(receive(sys.stdin.buffer))
vectors = struct.pack(f"<{2 * len(texts)}f", *[float(len(text)) for text in texts for _ in range(2)])
send(sys.stdout.buffer, msgspec.msgpack.encode(Encoded(vectors=vectors)))
sys.exit(3)
"""


def test_a_process_that_dies_is_told_of_and_the_next_call_starts_another() -> None:
    encoder = EncoderApart("f", 2, (sys.executable, "-c", ONCE), b"weights")
    assert encoder.encode([]).shape == (0, 2)
    assert encoder.encode(["a", "bcd"]).tolist() == [[1, 1], [3, 3]]
    with pytest.raises(DataError, match="ended with exit code 3"):
        encoder.encode(["a"] * 33)  # more than one message holds
    assert encoder.encode(["bc"]).tolist() == [[2, 2]]
    assert encoder.close() == 3
    assert encoder.close() is None
