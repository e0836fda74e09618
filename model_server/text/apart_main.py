"""The process of `model_server.text.apart`: texts on standard input, vectors on standard output, until that ends."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final

import msgspec
import safetensors.torch
import torch

from app.errors import DataError, ModelVersionError
from model_server.text.apart import Encoded, receive, send
from model_server.text.encoder import TextEncoder
from model_server.text.pretrained import load_minilm

Weights = Mapping[str, torch.Tensor]
_NICENESS: Final = 10


def answer_all(asked: IO[bytes], answers: IO[bytes], load: Callable[[Weights], TextEncoder]) -> None:
    """Encode whatever is asked; the encoder is loaded with the first text.

    Args:
        asked: fine-tuned weights, as safetensors or empty; then lists of texts.
        answers: `Encoded`, one for each list.
        load: loads the encoder with these weights; where it cannot, it is called again with the next text.
    """
    told = receive(asked)
    weights = safetensors.torch.load(told) if told else {}
    encoder: TextEncoder | None = None
    while (message := receive(asked)) is not None:
        texts = msgspec.msgpack.decode(message, type=list[str])
        try:
            encoder = encoder or load(weights)
            encoded = Encoded(vectors=encoder.encode(texts).astype("<f4").tobytes())
        except (DataError, ModelVersionError) as error:
            encoded = Encoded(error=str(error), misfits=isinstance(error, ModelVersionError))
        send(answers, msgspec.msgpack.encode(encoded))


def main(cache_dir: Path, device: str) -> None:
    """Serve the parent."""
    os.nice(_NICENESS)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end is ours
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    # Its fingerprint is the parent's affair.
    answer_all(
        sys.stdin.buffer, answers, lambda weights: load_minilm(cache_dir, torch.device(device), say, "", weights)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
