"""How types look as JSON Schema: pydantic's generator, with what travels differently here.

Owns the differences between pydantic's JSON and ours: bytes and arrays are attachments, named
tuples are objects, what has no form as a value is refused. pydantic is imported when the first
schema is built. Must not know signatures or frameworks.
"""

from __future__ import annotations

import functools
from typing import Any

from .conversions import plain
from .errors import ValueRefused
from .tensor_hints import Tensor, attachment_schema, is_array_type


def schema_of(hint: Any, *, result: bool = False) -> dict[str, Any]:
    """The JSON Schema of a type hint: of what is taken, or with `result` of what is given.

    Raises pydantic's errors for types that have no form as a value.
    """
    return adapter_schema(adapter_of(hint), result=result)


def adapter_of(hint: Any) -> Any:
    """pydantic's adapter of a hint, which may name arrays."""
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError as fault:
        if fault.code != "type-adapter-config-unused":
            raise
        # A type with a configuration of its own takes none from here.
        return TypeAdapter(hint)


def adapter_schema(adapter: Any, *, result: bool = False) -> dict[str, Any]:
    """The JSON Schema of what an adapter takes, or with `result` of what it gives."""
    mode = "serialization" if result else "validation"
    schema: dict[str, Any] = adapter.json_schema(mode=mode, schema_generator=generator())
    schema.pop("title", None)
    return schema


def default_of(value: Any) -> Any:
    """The default as it would stand in a document, or `NO_DEFAULT` where it cannot."""
    try:
        tree, attachments = plain(value)
    except ValueRefused:
        return NO_DEFAULT
    return NO_DEFAULT if attachments else tree


@functools.cache
def generator() -> Any:
    """pydantic's generator with our differences."""
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core import PydanticSerializationError

    class Generator(GenerateJsonSchema):
        """Writes the schema of documents, in which attachments are tags."""

        ignored_warning_kinds = {*GenerateJsonSchema.ignored_warning_kinds, _NO_DEFAULT_WARNING}

        def field_title_should_be_set(self, schema: Any) -> bool:
            # Titles would only repeat the names.
            return False

        def bytes_schema(self, schema: Any) -> dict[str, Any]:
            return attachment_schema({"kind": "blob"})

        def is_instance_schema(self, schema: Any) -> dict[str, Any]:
            if is_array_type(schema["cls"]):
                return Tensor().schema()
            return super().is_instance_schema(schema)

        def complex_schema(self, schema: Any) -> dict[str, Any]:
            return self.handle_invalid_for_json_schema(schema, "complex numbers have no form")

        def named_tuple_schema(self, schema: Any) -> dict[str, Any]:
            fields = [(each["name"], each["schema"]) for each in schema["fields"]]
            return self._object(fields)

        def arguments_schema(self, schema: Any) -> dict[str, Any]:
            # So does pydantic before 2.14 describe named tuples.
            fields = [(each["name"], each["schema"]) for each in schema["arguments_schema"]]
            return self._object(fields)

        def encode_default(self, dft: Any) -> Any:
            made = default_of(dft)
            if made is NO_DEFAULT:
                raise PydanticSerializationError("has no form in a document")
            return made

        def _object(self, fields: list[tuple[str, Any]]) -> dict[str, Any]:
            made: dict[str, Any] = {
                "type": "object",
                "properties": {name: self.generate_inner(field) for name, field in fields},
            }
            required = [name for name, field in fields if field["type"] != "default"]
            if required:
                made["required"] = required
            made["additionalProperties"] = False
            return made

    return Generator


NO_DEFAULT: Any = object()
_NO_DEFAULT_WARNING = "non-serializable-default"
