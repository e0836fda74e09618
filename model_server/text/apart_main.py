"""The process of `model_server.text.apart`: texts on standard input, vectors on standard output, until that ends."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import msgspec
import torch

from app.errors import RiverrunError
from model_server.text.apart import Encoded, receive, send
from model_server.text.encoder import TextEncoder
from model_server.text.pretrained import load_minilm
from model_server.text.tuned import read_tuned

_NICENESS: Final = 10


def answer_all(asked: IO[bytes], answers: IO[bytes], load: Callable[[], TextEncoder]) -> None:
    """Encode whatever is asked; the encoder is loaded with the first text.

    Args:
        asked: lists of texts.
        answers: `Encoded`, one for each.
        load: loads the encoder; raises RiverrunError where it cannot, and is called again with the next text.
    """
    encoder: TextEncoder | None = None
    while (message := receive(asked)) is not None:
        texts = msgspec.msgpack.decode(message, type=list[str])
        try:
            encoder = encoder or load()
            encoded = Encoded(vectors=encoder.encode(texts).astype("<f4").tobytes())
        except RiverrunError as error:
            encoded = Encoded(error=str(error))
        send(answers, msgspec.msgpack.encode(encoded))


def main(cache_dir: Path, device: str, tuned: Path | None) -> None:
    """Serve the parent; `tuned` is the folder of a fine-tuned encoder."""
    os.nice(_NICENESS)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end is ours
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    def load() -> TextEncoder:
        return load_minilm(cache_dir, torch.device(device), say, None if tuned is None else read_tuned(tuned))

    answer_all(sys.stdin.buffer, answers, load)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]) if len(sys.argv) > 3 else None)  # noqa: PLR2004 - the third
