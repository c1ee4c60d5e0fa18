"""Holds the header against its promises, by its text.

It calls every function of the C ABI, or there is a reason here why not; every public class, member
and function has a comment; no function has more than 60 lines; the contents at the top name every
section. Knows C++ as clang-format writes it, and no more of it.

Usage: header.py
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = HERE.parent / "include" / "snakepit_bridge.hpp"
ABI = HERE.parents[2] / "include" / "snakepit_bridge.h"

NOT_CALLED = {
    "spb_abi_version": "spb_abi_check asks for it",
    "spb_error_status": "the status is kept beside the error",
    "spb_value_clone": "copies of a Value share it",
    "spb_variable_set": "spb_variable_set_with does more",
    "spb_variable_delete": "spb_variable_delete_with does more",
    "spb_variable_list": "spb_variable_list_page does more",
    "spb_invocation_args": "the event had the arguments",
}
FUNCTION_LINES_MAX = 60
# What the language asks for, or says by itself.
PLAIN = re.compile(
    r"operator|= (?:default|delete);|^~|^\w+\(\w+&& other\)|^(?:public|private|protected):"
    r"|^friend|^}|^using (?:Out|value_type|Item) =|^class (?:iterator|BasicChunks;|BasicValue;)"
    r"|^using Value = |^std::uint16_t bits;"
)


def main() -> int:
    """Prints each finding; gives the exit status."""
    lines = HEADER.read_text().splitlines()
    findings = [*uncalled(), *undocumented(lines), *long_functions(lines), *contents(lines)]
    for finding in findings:
        print(finding)
    print(f"header: {len(findings)} findings")
    return 1 if findings else 0


def uncalled() -> list[str]:
    """Functions of the C ABI that the header never calls."""
    text, abi = HEADER.read_text(), ABI.read_text()
    functions = set(re.findall(r"^(?!static)(?:const )?\w+ \*?(spb_\w+)\(", abi, re.M))
    called = set(re.findall(r"\b(spb_\w+)\b", re.sub(r"//.*|/\*[\s\S]*?\*/", "", text)))
    findings = [f"{name} is never called" for name in functions - called - set(NOT_CALLED)]
    findings += [f"{name} is called after all: take it out" for name in set(NOT_CALLED) & called]
    if len(functions) < 90:
        findings.append(f"only {len(functions)} functions found in the C header")
    return sorted(findings)


def undocumented(lines: list[str]) -> list[str]:
    """Public declarations of the namespace and its classes without a comment above them."""
    findings = []
    is_public, is_body, is_hidden, before = True, False, True, ""
    last = next(at for at, line in enumerate(lines) if line.startswith("/* ---- Names "))
    for number, line in enumerate(lines[:last], 1):
        indent, text = len(line) - len(line.lstrip()), line.strip()
        is_hidden |= text == "namespace detail {"
        is_hidden &= text not in ("}  // namespace detail", "namespace snakepit_bridge {")
        if indent == 0 and re.match(r"(?:class|struct|enum class)\b.*{$", text):
            is_public = text.startswith("struct")
        elif indent == 0 and text.endswith("{") and not text.startswith("namespace"):
            is_body = True
        elif indent == 0 and text == "}":
            is_body = False
        elif text in ("public:", "private:", "protected:"):
            is_public = text == "public:"
        begins = (
            text and indent in (0, 4) and not text.startswith(("/", "*", "#", "namespace", "SPB_"))
        )
        is_member = is_public and not is_body
        begins = begins and (
            indent == 0 or (is_member and not before.endswith((",", "(", "&&", "=")))
        )
        if text.startswith("template <") and re.search(r">$", text):
            following = lines[number].strip()
            begins = begins and not PLAIN.search(following)
        if begins and not is_hidden and not is_comment_or_more(before) and not PLAIN.search(text):
            findings.append(f"{HEADER.name}:{number}: no comment: {text}")
        before = text
    return findings


def is_comment_or_more(before: str) -> bool:
    """Whether the line above documents this one, or is the beginning of the same declaration."""
    return before.startswith(("///", "template <")) or before.endswith(
        (",", "(", ">>>", "=", ") noexcept")
    )


def long_functions(lines: list[str]) -> list[str]:
    """Functions of more lines than one sees at once."""
    findings = []
    start = None
    for number, line in enumerate(lines, 1):
        if re.match(r"^(?: {4})?\S.*\)(?: \w+| const&?| &&)* {$", line) or re.match(
            r"^ {8,}.*\) const {$", line
        ):
            start = number
        if start and re.match(r"^(?: {4})?}$", line):
            if number - start + 1 > FUNCTION_LINES_MAX:
                findings.append(f"{HEADER.name}:{start}: a function of {number - start + 1} lines")
            start = None
    return findings


def contents(lines: list[str]) -> list[str]:
    """Sections that the contents at the top do not name, in their order."""
    sections = [match[1] for line in lines if (match := re.match(r"/\* ---- (.*?) -+ \*/", line))]
    top = "\n".join(lines[: lines.index("#ifndef SNAKEPIT_BRIDGE_HPP")])
    listed = [
        re.sub(r"  .*", "", line[7:]) for line in top[top.index("Contents") :].splitlines()[2:]
    ]
    listed = [name for name in listed if name and not name.startswith((" ", "*"))]
    return [] if listed == sections else [f"contents: {listed}, but the sections are {sections}"]


if __name__ == "__main__":
    sys.exit(main())
