"""pydantic's models and dataclasses on their way out: what they hold, by the names they go by.

Owns the agreement with the schema that pydantic gives of a model as a result: aliases, excluded
and computed fields, and serializers of the model's own. Looks one level deep; what is below goes
through the same table as everything else. Never imports pydantic.
"""

from __future__ import annotations

from typing import Any


class NotSerializable(Exception):
    """A serializer of the model's own raised; the message says what."""


def contents(model: Any) -> Any:
    """What stands for the model in a document: a dict of its fields, or the value of a root model,
    or what its own serializers make of it. Raises `NotSerializable`.
    """
    kind = type(model)
    decorators = kind.__pydantic_decorators__
    if decorators.field_serializers or decorators.model_serializers:
        return _dumped(model)
    if getattr(kind, "__pydantic_root_model__", False):
        return model.root
    found: dict[str, Any] = {}
    for name, field in kind.__pydantic_fields__.items():
        if not field.exclude:
            found[_name_of(name, field)] = getattr(model, name)
    for name, computed in decorators.computed_fields.items():
        found[computed.info.alias or name] = getattr(model, name)
    return {**found, **(getattr(model, "__pydantic_extra__", None) or {})}


def _dumped(model: Any) -> Any:
    from pydantic_core import SchemaSerializer

    serializer: SchemaSerializer = type(model).__pydantic_serializer__
    try:
        return serializer.to_python(model, by_alias=True, warnings=False)
    except Exception as fault:
        raise NotSerializable(f"{type(fault).__name__}: {fault}") from fault


def _name_of(name: str, field: Any) -> str:
    return str(field.serialization_alias or field.alias or name)
