"""The pair classifier with a BERT of a few thousand weights: what it reads, and what it re-orders."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import BertProcessing
from transformers import BertConfig, BertModel

from model_server.counts.ease import EaseOptions, ease
from model_server.counts.matrices import user_items
from model_server.evaluation.baselines.bert_pair import RERANKED, PairClassifier, Pairs, candidates, rerank
from tests.support.model import cases_of, planted_dataset

WALKS = planted_dataset(users=60, items=80)
WORDS = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "red": 4, "tea": 5, "pot": 6}


@pytest.fixture
def classifier(tmp_path: Path) -> PairClassifier:
    torch.manual_seed(1)
    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=4, num_attention_heads=2, intermediate_size=8)
    config.to_json_file(str(tmp_path / "config.json"))
    save_file(BertModel(config, add_pooling_layer=False).state_dict(), tmp_path / "model.safetensors")  # type: ignore[no-untyped-call]  # transformers has no types
    return PairClassifier(tmp_path).eval()


@pytest.fixture
def tokenizer() -> Tokenizer:
    words = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))  # noqa: S106 - no password
    words.pre_tokenizer = Whitespace()
    words.post_processor = BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return words


def test_a_pair_is_the_newest_titles_and_the_items(tokenizer: Tokenizer) -> None:
    pair = Pairs(tokenizer, ["red tea", "tea pot", "pot"]).of(np.array([0, 2], np.int32), 1)
    assert pair.tokens == [1, 6, 4, 5, 2, 5, 6, 2]
    assert pair.segments == [0, 0, 0, 0, 0, 1, 1, 1]


def test_pairs_in_one_batch_do_not_touch_each_other(classifier: PairClassifier, tokenizer: Tokenizer) -> None:
    pairs = Pairs(tokenizer, ["red tea", "tea pot", "pot"])
    short, long = pairs.of(np.array([2], np.int32), 2), pairs.of(np.array([0, 1, 2], np.int32), 1)
    assert torch.allclose(classifier([short, long])[0], classifier([short])[0], atol=2e-2), "bfloat16"


def test_only_the_upper_layers_learn(classifier: PairClassifier) -> None:
    learn = {name for name, weight in classifier.named_parameters() if weight.requires_grad}
    assert learn == {name for name, _ in classifier.named_parameters() if "layer." in name or "head" in name} - {
        name for name, _ in classifier.named_parameters() if "layer.0." in name
    }


def test_candidates_are_reordered_before_all_others(classifier: PairClassifier, tokenizer: Tokenizer) -> None:
    log = WALKS.interactions
    table = ease(user_items(log), EaseOptions(regularisation=1.0))
    pairs = Pairs(tokenizer, [("red", "tea", "pot")[item % 3] for item in range(80)])
    histories = [log.take(log.users == user) for user in (0, 1)]
    scores = rerank(classifier, pairs, table, cases_of(histories))
    order = np.argsort(-scores, axis=1)
    first = candidates(table, [history.items for history in histories])
    for row, history in enumerate(histories):
        assert set(order[row, :RERANKED]) == set(first[row])
        assert not set(order[row, :RERANKED]) & set(history.items)
        logits = classifier([pairs.of(history.items, int(item)) for item in order[row, :RERANKED]])
        assert (logits.diff() <= 2e-2).all()
