"""Fine-tuning without a host: rows, artifacts and the way of other frameworks to both."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: make test-transformers")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch  # noqa: E402

from snakepit_bridge.errors import (  # noqa: E402
    AlreadyExists,
    BridgeError,
    InvalidArgument,
    OperationCancelled,
)
from snakepit_bridge.frameworks import load  # noqa: E402
from snakepit_bridge.frameworks.transformers import artifacts, fine_tune_rows, rows  # noqa: E402
from transformers_models import gpt, save, trained_tokenizer  # noqa: E402

CHAT = {
    "messages": [
        {"role": "user", "content": "What does the fox say?"},
        {"role": "assistant", "content": "Nothing at all."},
    ]
}


@pytest.fixture
def started(tmp_path: Path) -> Any:
    tokenizer = trained_tokenizer()
    save(tmp_path / "gpt", gpt(len(tokenizer)), tokenizer)
    (tmp_path / "artifacts").mkdir()
    framework = load("transformers")
    framework.start(
        {
            "models": {"gpt": {"path": str(tmp_path / "gpt"), "preload": True}},
            "artifacts_dir": str(tmp_path / "artifacts"),
            "threads": 1,
        }
    )
    yield framework
    framework.stop()


def tokens(row: Any) -> tuple[list[int], list[int]]:
    tokenizer = trained_tokenizer()
    (made,) = rows.tokenized(rows.read([row]), tokenizer, 100, {}, lambda: None)
    return made["input_ids"], made["labels"]


def test_only_what_is_to_be_said_is_learned() -> None:
    tokenizer = trained_tokenizer()
    ids, labels = tokens("The fox.")
    assert ids == labels and ids[-1] == tokenizer.eos_token_id
    for row, learned in [
        ({"prompt": "The", "completion": " fox"}, " fox<|end|>"),
        (CHAT, "Nothing at all.<|end|>"),
    ]:
        ids, labels = tokens(row)
        given = [label for label in labels if label != rows.IGNORED]
        assert tokenizer.decode(given).startswith(learned)
        assert ids[-len(given) :] == given


def test_batches_are_padded_with_what_counts_for_nothing() -> None:
    together = rows.collate(pad=9)
    batch = together(
        [{"input_ids": [1, 2, 3], "labels": [1, 2, 3]}, {"input_ids": [4], "labels": [4]}]
    )
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[1, 2, 3], [4, -100, -100]]


def test_rows_that_do_not_fit_are_named() -> None:
    for given, words in [
        ([], "data is an empty list"),
        ("text", "data is a str"),
        ([{"text": "a"}, 5], r"data\[1\] is a int"),
        ([{"text": "a"}, {"text": "a", "label": "x"}], r"data\[1\] is another kind"),
        ([{"prompt": "a", "completion": 1}], r"data\[0\].completion is a int, expected a text"),
    ]:
        with pytest.raises(InvalidArgument, match=words):
            rows.read(given)
    with pytest.raises(InvalidArgument, match=r"data\[0\] has nothing to learn within 2 tokens"):
        ready = rows.read([{"prompt": "The quick brown fox", "completion": " jumps"}])
        rows.tokenized(ready, trained_tokenizer(), 2, {}, lambda: None)


def test_an_artifact_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    root = str(tmp_path)
    with pytest.raises(RuntimeError), artifacts.writing(root, "a") as artifact:
        Path(artifact.folder, "weights").write_text("half")
        raise RuntimeError("killed half-way")
    assert os.listdir(root) == []
    # What a killed process leaves, and what a living one is writing.
    (tmp_path / ".writing-dead-00").mkdir()
    with artifacts.writing(root, "alive"), artifacts.writing(root, "b") as artifact:
        held = sorted(name.rpartition("-")[0] for name in os.listdir(root))
        assert held == [".writing-alive", ".writing-b"]
        path = artifact.publish({"format": 1})
    assert os.listdir(root) == ["b"]
    assert json.loads(Path(path, artifacts.METADATA).read_text()) == {"format": 1}
    with pytest.raises(AlreadyExists, match="artifact 'b'"), artifacts.writing(root, "b"):
        pass


def test_other_frameworks_train_with_a_function(started: Any) -> None:
    seen: list[dict[str, Any]] = []
    chance = random.getstate(), torch.get_rng_state()
    options = {"name": "taught", "training": {"max_steps": 40, "learning_rate": 5e-3}}
    path = fine_tune_rows("gpt", [CHAT] * 8, options, seen.append, lambda: False)
    assert [chunk["step"] for chunk in seen] == list(range(1, 41))
    assert seen[-1]["loss"] < seen[0]["loss"] / 4
    assert random.getstate() == chance[0] and torch.equal(torch.get_rng_state(), chance[1])
    told = json.loads(Path(path, "artifact.json").read_text())
    assert (told["name"], told["base"], told["steps"]) == ("taught", "gpt", 40)
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(seen) > 42

    with pytest.raises(OperationCancelled):
        fine_tune_rows("gpt", [CHAT] * 8, {**options, "name": "never"}, seen.append, cancelled)
    assert len(seen) == 43 and asked
    assert os.listdir(started.settings.artifacts_dir) == ["taught"]


def test_the_same_seed_trains_the_same_model(started: Any) -> None:
    options = {"method": "lora", "training": {"max_steps": 5, "learning_rate": 1e-2}}
    runs = []
    for _ in range(2):
        seen: list[dict[str, Any]] = []
        fine_tune_rows("gpt", [CHAT, *[CHAT] * 9], options, seen.append, lambda: False)
        runs.append([chunk["loss"] for chunk in seen])
    assert runs[0] == runs[1]


def test_a_loss_that_is_no_number_ends_the_run(started: Any) -> None:
    options = {"name": "burst", "training": {"max_steps": 200, "learning_rate": 1e30}}
    with pytest.raises(BridgeError, match="is not finite"):
        fine_tune_rows("gpt", [CHAT] * 8, options, lambda chunk: None, lambda: False)
    assert os.listdir(started.settings.artifacts_dir) == []
