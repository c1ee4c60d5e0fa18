"""JSON Schemas of the operations: what the host checks before a call is sent, and shows to people.

Owns words and limits only. Must not import torch or Transformers: the schemas are data.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CHUNKS",
    "CLASSIFY",
    "EMBED",
    "FILL_MASK",
    "FINE_TUNE",
    "GENERATE",
    "MODELS",
    "RESULTS",
    "TOKEN_CLASSIFY",
]


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


def _or_null(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}], "default": None, "description": description}


def _result(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": sorted(properties), "properties": properties}


_MODEL = {
    "type": "string",
    "minLength": 1,
    "description": "A configured name, the name of an artifact, or a path below a configured root.",
}
_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 1}
_TEXTS = {
    "type": "array",
    "minItems": 1,
    "maxItems": 100_000,
    "items": _TEXT,
    "description": "The texts, each with a result of its own, in order.",
}
_BATCH_SIZE = _or_null(
    {"type": "integer", "minimum": 1, "maximum": 4096}, "Texts that the model sees at once; 16."
)
_MESSAGES = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {"role": _TEXT, "content": _TEXT},
    },
}

GENERATE = _object(
    ["model"],
    model=_MODEL,
    prompt=_or_null(_TEXT, "Text that is continued as it is. Either this or messages."),
    messages=_or_null(_MESSAGES, "A chat, written as the model's own chat template says."),
    max_new_tokens=_or_null(_COUNT, "At most this many; 256, or what the model has room for."),
    temperature={
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "default": 0,
        "description": "0 always takes the most probable token; above, tokens are drawn.",
    },
    top_k=_or_null(_COUNT, "Draws among this many tokens."),
    top_p=_or_null(
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "Draws among the most probable tokens that have this probability together.",
    ),
    min_p=_or_null(
        {"type": "number", "minimum": 0, "maximum": 1},
        "Draws among tokens that have this part of the best one's probability.",
    ),
    repetition_penalty=_or_null(
        {"type": "number", "exclusiveMinimum": 0}, "Above 1, tokens that occurred get rarer."
    ),
    seed=_or_null(
        {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
        "The same seed draws the same text, whatever else this worker runs.",
    ),
    stop={
        "type": "array",
        "maxItems": 16,
        "items": {"type": "string", "minLength": 1},
        "default": [],
        "description": "Texts that end the generation; they are not part of the result.",
    },
)

CLASSIFY = _object(
    ["model", "texts"],
    model=_MODEL,
    texts=_TEXTS,
    top_k=_or_null(_COUNT, "Only this many labels for each text."),
    function=_or_null(
        {"enum": ["softmax", "sigmoid", "none"]},
        "From logits to scores; as the model is configured.",
    ),
    batch_size=_BATCH_SIZE,
)

EMBED = _object(
    ["model", "texts"],
    model=_MODEL,
    texts=_TEXTS,
    pooling=_or_null(
        {"enum": ["mean", "cls", "last"]},
        "From tokens to one vector; as the model's folder says, otherwise mean.",
    ),
    normalize={"type": "boolean", "default": True, "description": "Makes each vector of length 1."},
    max_length=_or_null(_COUNT, "Tokens of a text that count; as the model's folder says."),
    batch_size=_BATCH_SIZE,
)

FILL_MASK = _object(
    ["model", "texts"],
    model=_MODEL,
    texts=_TEXTS,
    top_k={
        "type": "integer",
        "minimum": 1,
        "default": 5,
        "description": "So many tokens for each mask.",
    },
    batch_size=_BATCH_SIZE,
)

TOKEN_CLASSIFY = _object(
    ["model", "texts"],
    model=_MODEL,
    texts=_TEXTS,
    aggregation={
        "enum": ["none", "simple", "first", "average", "max"],
        "default": "simple",
        "description": "How the tokens of one entity are joined.",
    },
    batch_size=_BATCH_SIZE,
)

_TRAINING = _object(
    [],
    epochs={
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 3,
        "description": "Passes over the rows.",
    },
    max_steps=_or_null(_COUNT, "Ends after this many steps, whatever epochs says."),
    learning_rate=_or_null(
        {"type": "number", "exclusiveMinimum": 0}, "5e-5 for full, 2e-4 for LoRA."
    ),
    batch_size={"type": "integer", "minimum": 1, "default": 8, "description": "Rows of one step."},
    gradient_accumulation={
        "type": "integer",
        "minimum": 1,
        "default": 1,
        "description": "Steps whose gradients are added up before weights change.",
    },
    weight_decay={
        "type": "number",
        "minimum": 0,
        "default": 0,
        "description": "How weights are drawn to 0.",
    },
    warmup_steps={
        "type": "integer",
        "minimum": 0,
        "default": 0,
        "description": "Steps until the learning rate is full.",
    },
    seed={
        "type": "integer",
        "minimum": 0,
        "maximum": 2**32 - 1,
        "default": 42,
        "description": "Of the order of rows and of new weights.",
    },
    max_length=_or_null(_COUNT, "Tokens of a row that count; 512, or what the model can look at."),
    eval_split={
        "type": "number",
        "minimum": 0,
        "maximum": 0.5,
        "default": 0,
        "description": "The part of the rows that is only measured with, at the end of each epoch.",
    },
    log_every={"type": "integer", "minimum": 1, "default": 1, "description": "In steps."},
)

_LORA = _object(
    [],
    r={
        "type": "integer",
        "minimum": 1,
        "maximum": 1024,
        "default": 8,
        "description": "The rank of the adapters.",
    },
    alpha=_or_null(_NUMBER, "Twice r unless given."),
    dropout={
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0,
        "description": "The part of inputs that an adapter does not see.",
    },
    target_modules=_or_null(
        {"type": "array", "minItems": 1, "items": _TEXT}, "All linear layers unless given."
    ),
)

FINE_TUNE = _object(
    ["model", "data"],
    model=_MODEL,
    data={
        "description": "Rows of one kind: texts, {text}, {prompt, completion}, {messages}, or "
        "{text, label}; or the session variable that holds them.",
        "anyOf": [
            {"type": "array", "minItems": 1, "items": {"type": ["string", "object"]}},
            _object(["variable"], variable={"type": "string", "minLength": 1}),
        ],
    },
    name=_or_null(
        {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
        "The artifact's name; made up unless given.",
    ),
    method={
        "enum": ["full", "lora"],
        "default": "full",
        "description": "All weights, or adapters beside them.",
    },
    training={**_TRAINING, "description": "How it is trained."},
    lora={**_LORA, "description": "The adapters of method `lora`."},
    merge={
        "type": "boolean",
        "default": False,
        "description": "Stores LoRA's result as a whole model.",
    },
)

MODELS = _object([])

RESULTS: dict[str, dict[str, Any]] = {
    "generate": _result(
        text=_TEXT,
        model=_TEXT,
        finish_reason={"enum": ["stop", "length"]},
        usage={"type": "object"},
    ),
    "labels": _result(results={"type": "array"}),
    "embed": _result(
        embeddings={"description": "A float32 tensor, a row for each text."},
        dimensions=_COUNT,
        pooling=_TEXT,
        usage={"type": "object"},
    ),
    "models": _result(models={"type": "array"}, process={"type": "object"}),
    "fine_tune": _result(
        artifact=_TEXT,
        name=_TEXT,
        base=_TEXT,
        method=_TEXT,
        task=_TEXT,
        steps=_COUNT,
        loss_before=_NUMBER,
        loss_after=_NUMBER,
        trainable_parameters=_COUNT,
        bytes=_COUNT,
    ),
}

CHUNKS: dict[str, dict[str, Any]] = {
    "generate": {
        "type": "object",
        "required": ["type", "text"],
        "properties": {
            "type": {"const": "token"},
            "text": {"type": "string", "description": "The next whole characters."},
        },
    },
    "fine_tune": {
        "type": "object",
        "required": ["type", "step", "steps", "epoch"],
        "properties": {
            "type": {"const": "progress"},
            "step": {"type": "integer", "description": "Steps of training so far."},
            "steps": {"type": "integer", "description": "Steps in all."},
            "epoch": {"type": "number", "description": "Passes over the rows so far."},
            "loss": {"type": "number", "description": "Of the last steps."},
            "learning_rate": {"type": ["number", "null"], "description": "Of the last step."},
            "eval_loss": {"type": "number", "description": "On the rows that are kept apart."},
        },
    },
}
