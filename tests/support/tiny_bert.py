"""A text encoder of a few thousand random weights, in the files of the pretrained one."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel

UNKNOWN = "[UNK]"


def write_tiny_bert(folder: Path, words: Sequence[str], layers: int = 2) -> Path:
    """A folder with config.json, tokenizer.json and model.safetensors; every word is one token."""
    folder.mkdir(parents=True)
    vocabulary = {word: number for number, word in enumerate(["[PAD]", UNKNOWN, *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=300,
    )
    (folder / "config.json").write_text(config.to_json_string(use_diff=False))
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = BertModel(config, add_pooling_layer=False)  # type: ignore[no-untyped-call]  # transformers has no types
        torch.nn.init.normal_(model.embeddings.word_embeddings.weight)
    save_file({name: weight.contiguous() for name, weight in model.state_dict().items()}, folder / "model.safetensors")
    return folder
