"""Small models made in code, for tests of the framework `transformers`.

Owns their folders: `python transformers_models.py FOLDER` makes all of them there. Tokenizers are
trained on the few sentences below, weights are random but for the seed. Must not contain
assertions.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)


def make(folder: Path) -> None:
    """Makes every model of the tests in folders below `folder`."""
    tokenizer = trained_tokenizer()
    save(folder / "gpt", gpt(len(tokenizer)), tokenizer)
    # Its tokens go beyond its table of embeddings: generate() raises for most prompts.
    save(folder / "broken", gpt(8), tokenizer)
    # Room for the prompts that DSPy writes.
    save(folder / "long", gpt(len(tokenizer), positions=2048), tokenizer)
    save(folder / "large", gpt(len(tokenizer), width=1024, layers=4), tokenizer)
    size: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    }
    mood = {0: "calm", 1: "wild"}
    mood_ids = {label: number for number, label in mood.items()}
    torch.manual_seed(2)
    bert = BertConfig(**size, id2label=mood, label2id=mood_ids, pad_token_id=tokenizer.pad_token_id)
    save(folder / "classifier", BertForSequenceClassification(bert), tokenizer)
    save(folder / "tagger", BertForTokenClassification(bert), tokenizer)
    save(folder / "mask", BertForMaskedLM(bert), tokenizer)
    pickled = folder / "pickled"
    pickled.mkdir()
    gpt(8).config.save_pretrained(pickled)
    torch.save({}, pickled / "pytorch_model.bin")


def trained_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE of a few hundred tokens, with a chat template."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|end|>", "<|pad|>", "<|mask|>", "<|sep|>", "<|cls|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bare.train_from_iterator(SENTENCES * 4, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=bare,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        mask_token="<|mask|>",
        sep_token="<|sep|>",
        cls_token="<|cls|>",
        model_input_names=["input_ids", "attention_mask"],
    )
    made.chat_template = CHAT_TEMPLATE
    return made


def gpt(tokens: int, width: int = 64, layers: int = 2, positions: int = 256) -> GPT2LMHeadModel:
    """A GPT-2 with random weights, always the same ones."""
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=tokens,
        n_embd=width,
        n_layer=layers,
        n_head=2,
        n_positions=positions,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=1 if tokens > 8 else None,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    return GPT2LMHeadModel(config)


def save(folder: Path, module: Any, tokenizer: Any) -> None:
    """As `from_pretrained` reads it."""
    module.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


SENTENCES = [
    "The quick brown fox jumps over the lazy dog.",
    "What does the fox say? The fox says nothing at all.",
    "A calm sea and a wild storm met at the harbour wall.",
    "Grüße aus Zürich, 世界! Good evening to everyone.",
]

CHAT_TEMPLATE = (
    "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}<|end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)

if __name__ == "__main__":
    make(Path(sys.argv[1]))
