"""The step `prompt`: chat prompt templates from a document.

It owns the form of templates (Python's format strings with plain names, nothing that reads
attributes or runs code), their variables and the refusal of inputs that lack one. It must not know
models.
"""

from __future__ import annotations

import string
from typing import Any

from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableConfig

from snakepit_bridge.errors import InvalidArgument

from .checks import Fields, expected, kind_of, nearest
from .messages import from_words

__all__ = ["build_prompt"]


class Prompt(ChatPromptTemplate):
    """A template that names what its input lacks."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Fills the template in. Raises `InvalidArgument` for an input that does not fit."""
        return super().invoke(self._checked(input), config, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """As `invoke`."""
        return await super().ainvoke(self._checked(input), config, **kwargs)

    def _checked(self, given: Any) -> dict[str, Any]:
        wanted = [name for name in self.input_variables if name not in self.partial_variables]
        if not isinstance(given, dict):
            # A single variable may be given as the input itself, as LangChain has it.
            if len(wanted) != 1:
                raise InvalidArgument(
                    f"input of {self.name} of kind {kind_of(given)}, expected an object with "
                    f"{', '.join(sorted(wanted)) or 'nothing'}"
                )
            given = {wanted[0]: given}
        for name in wanted:
            if name not in given:
                raise InvalidArgument(
                    f"input of {self.name}: {name!r} missing, given "
                    f"{', '.join(sorted(map(str, given))) or 'nothing'}{nearest(name, given)}"
                )
        return self._with_messages(given)

    def _with_messages(self, given: dict[str, Any]) -> dict[str, Any]:
        """Messages for placeholders come in the words of the contract."""
        read = dict(given)
        for part in self.messages:
            if isinstance(part, MessagesPlaceholder) and part.variable_name in read:
                place = f"input of {self.name}: {part.variable_name}"
                read[part.variable_name] = from_words(read[part.variable_name], place)
        return read


def build_prompt(fields: Fields) -> Prompt:
    """The prompt of a document with `template`, or `messages`, and `partial`."""
    if fields.has("template"):
        template = fields.text("template")
        _check_template(template, fields.at("template"))
        parts: list[Any] = [("user", template)]
    else:
        messages = fields.take("messages", list, "a list of messages, or template, a text")
        if not messages:
            raise InvalidArgument(f"{fields.at('messages')} is empty, expected messages")
        parts = [_part(each, f"{fields.at('messages')}[{i}]") for i, each in enumerate(messages)]
    partial = fields.take("partial", dict, "an object", {})
    prompt = Prompt(messages=parts, partial_variables=partial, name=fields.place)
    known = {*prompt.input_variables, *prompt.optional_variables}
    for name in partial:
        if name not in known:
            raise InvalidArgument(
                f"{fields.at('partial')}.{name}, expected one of {', '.join(sorted(known))}"
            )
    return prompt


def _part(document: Any, place: str) -> Any:
    if isinstance(document, dict) and "placeholder" in document:
        fields = Fields(document, place)
        name = fields.text("placeholder")
        optional = fields.take("optional", bool, "true or false", False)
        limit = fields.number("limit", 1, _MESSAGES_MAX, None)
        fields.end()
        return MessagesPlaceholder(name, optional=optional, n_messages=limit)
    fields = Fields(document, place)
    role = fields.choice("role", _ROLES)
    content = fields.take("content", str, "a text")
    fields.end()
    _check_template(content, f"{place}.content")
    return (role, content)


def _check_template(template: str, place: str) -> None:
    """Only plain names: a format string could read attributes and items, too."""
    try:
        found = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InvalidArgument(f"{place} is not a format string: {error}") from error
    for _, name, spec, conversion in found:
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise expected(place, f"{{{name}}}", "variables as {name}; {{ and }} stand for braces")


_ROLES = ("system", "user", "assistant")
_MESSAGES_MAX = 1_000_000
