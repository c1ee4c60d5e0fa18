#!/usr/bin/env python3
"""Writes a typed C client from what `spb schema --full` says of a platform.

    spb schema --full --config host.json | python3 generate.py --pool default > client.h

Each operation becomes a struct of its parameters and two functions: one that starts it, one that
also waits for the result. Owns what a JSON Schema is in C; `spb_client.h` has what all generated
functions share.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def main() -> int:
    """Reads the description from standard input and writes the header to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", default="default", help="whose frameworks (default: %(default)s)")
    arguments = parser.parse_args()
    described = json.load(sys.stdin)
    pool = described["pools"].get(arguments.pool)
    if pool is None or not pool["is_known"]:
        known = ", ".join(sorted(described["pools"]))
        print(f"generate: nothing is known of pool {arguments.pool!r} of {known}", file=sys.stderr)
        return 1
    print("\n".join(header(arguments.pool, pool["frameworks"])))
    return 0


def header(pool: str, frameworks: dict[str, Any]) -> Iterator[str]:
    """The lines of the client."""
    yield f"/* A client of the pool {pool}, made by generate.py: change that, not this. */"
    yield "#ifndef SPB_TYPED_CLIENT_H"
    yield "#define SPB_TYPED_CLIENT_H"
    yield ""
    yield '#include "spb_client.h"'
    for framework, about in sorted(frameworks.items()):
        yield ""
        yield from comment(f"{framework} {about['version']}: {about['doc']}")
        for operation, entry in sorted(about["operations"].items()):
            yield ""
            yield from client_of(pool, framework, operation, entry)
    yield ""
    yield "#endif"


def client_of(pool: str, framework: str, operation: str, entry: Schema) -> Iterator[str]:
    """The struct and the two functions of one operation."""
    name = identifier(f"{framework}_{operation}")
    schema = entry["parameters"]
    required = schema.get("required", [])
    fields = [
        (key, simplified(about, schema), key in required)
        for key, about in schema.get("properties", {}).items()
    ]
    yield from choices(name, fields)
    yield from comment(f"Parameters of {framework}.{operation}. What is NULL is not sent.")
    yield f"typedef struct {name}_parameters {{"
    for key, about, needed in fields:
        yield from (f"    {line}" for line in comment(meaning(about, needed)))
        yield f"    {declaration(about, needed)}{identifier(key)};"
    if not fields:
        yield "    char none;"
    yield f"}} {name}_parameters;"
    yield ""
    yield from starting(pool, framework, operation, name, fields)
    yield ""
    yield from waiting(name, entry)


def starting(
    pool: str, framework: str, operation: str, name: str, fields: list[Any]
) -> Iterator[str]:
    """The function that starts the operation; its end and its chunks go to the sink."""
    yield from comment("Starts it. With flag SPB_EXECUTE_STREAM its chunks come to `sink`, too.")
    yield f"static inline spb_status {name}_start(spb_session session,"
    yield f"    const {name}_parameters *given, uint32_t flags, const spb_sink *sink,"
    yield "    spb_operation *out, spb_error **err) {"
    yield "    struct spb_client_parameters all = {0};"
    if not fields:
        yield "    (void)given;"
    for key, about, needed in fields:
        at = "&" if needed and by_value(about) else ""
        kind = KINDS.get(kind_of(about), "value")
        quoted = json.dumps(key)
        yield f"    spb_client_{kind}(&all, {quoted}, {at}given->{identifier(key)});"
    names = ", ".join(json.dumps(each) for each in (pool, framework, operation))
    yield f"    return spb_client_start(session, {names},"
    yield "                            &all, flags, sink, out, err);"
    yield "}"


def waiting(name: str, entry: Schema) -> Iterator[str]:
    """The function that also waits, and gives the result as what it is declared to be."""
    result = entry.get("result") or {}
    kind = kind_of(simplified(result, result))
    given = RESULTS.get(kind, "spb_value *")
    yield from comment(f"{entry['doc']}\n\nResult: {result.get('description', kind or 'any')}.")
    yield f"static inline spb_status {name}(spb_session session,"
    yield f"    const {name}_parameters *given, {given}*result, spb_error **err) {{"
    yield "    spb_operation operation = {0};"
    yield f"    spb_status status = {name}_start(session, given, 0, NULL, &operation, err);"
    taker = KINDS.get(kind, "value")
    yield f"    return spb_client_take_{taker}(status, operation, result, err);"
    yield "}"


def choices(name: str, fields: list[Any]) -> Iterator[str]:
    """A constant for each text that a parameter may be."""
    for key, about, _ in fields:
        for choice in about.get("enum", []):
            if isinstance(choice, str):
                constant = identifier(f"{name}_{key}_{choice}").upper()
                yield f"#define {constant} {json.dumps(choice)}"


def simplified(about: Schema, whole: Schema) -> Schema:
    """The schema without references and without `null` as an alternative."""
    while "$ref" in about:
        target: Any = whole
        for step in about["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        about = {**target, **{key: value for key, value in about.items() if key != "$ref"}}
    others = [each for each in about.get("anyOf", []) if each.get("type") != "null"]
    if len(others) == 1:
        rest = {key: value for key, value in about.items() if key != "anyOf"}
        return simplified({**others[0], **rest}, whole)
    return about


def kind_of(about: Schema) -> str:
    """The JSON type where there is one; enums of texts are strings."""
    kind = about.get("type")
    if isinstance(kind, str):
        return kind
    values = about.get("enum", [about["const"]] if "const" in about else [])
    return "string" if values and all(isinstance(each, str) for each in values) else ""


def by_value(about: Schema) -> bool:
    return kind_of(about) in ("integer", "number", "boolean")


def declaration(about: Schema, needed: bool) -> str:
    """The C type of a member; numbers that may be left out are pointers."""
    plain = {"integer": "int64_t", "number": "double", "boolean": "bool"}.get(kind_of(about))
    if plain is not None:
        return f"{plain} " if needed else f"const {plain} *"
    return "const char *" if kind_of(about) == "string" else "const spb_value *"


def meaning(about: Schema, needed: bool) -> str:
    """What a comment says of a member."""
    parts = [about.get("description", "").rstrip(".")]
    attached = about.get("x-spb-attachment")
    parts.append(json.dumps(attached) if attached else kind_of(about) or "any document")
    if "enum" in about:
        parts.append("one of " + ", ".join(map(json.dumps, about["enum"])))
    parts += [f"{limit} {about[limit]}" for limit in LIMITS if limit in about]
    if "default" in about:
        parts.append(f"default {json.dumps(about['default'])}")
    parts.append("required" if needed else "optional")
    return "; ".join(part for part in parts if part) + "."


def comment(text: str) -> Iterator[str]:
    """A C comment of that text, which cannot end it early."""
    safe = text.replace("*/", "* /").replace("/*", "/ *")
    lines = [part for line in safe.splitlines() for part in textwrap.wrap(line, 90) or [""]]
    if len(lines) <= 1:
        yield f"/* {''.join(lines)} */"
        return
    yield f"/* {lines[0]}"
    yield from (f" * {line}".rstrip() for line in lines[1:])
    yield " */"


def identifier(text: str) -> str:
    """A name of C."""
    name = re.sub(r"\W", "_", text)
    return f"{name}_" if RESERVED.fullmatch(name) else name


KINDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "truth"}
RESULTS = {"string": "spb_text *", "integer": "int64_t ", "number": "double ", "boolean": "bool "}
LIMITS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "minLength", "maxLength")
# Of C, and what its header for truth defines.
RESERVED = re.compile(
    "auto|break|case|char|const|continue|default|do|double|else|enum|extern|float|for|goto|if"
    "|inline|int|long|register|restrict|return|short|signed|sizeof|static|struct|switch|typedef"
    "|union|unsigned|void|volatile|while|bool|true|false"
)

if __name__ == "__main__":
    sys.exit(main())
