"""The shared examples of tests/vectors/variables.json, run by a handler in a real worker.

Owns the Python reading of the file: each value is decoded, so that what is stored is what Python
would send. Must not know how the host checks; it reports what it saw as differences.
"""

import functools
import json
from pathlib import Path

import snakepit_bridge
from snakepit_bridge import CallContext
from snakepit_bridge.errors import BridgeError, Status, Unsupported, ValueRefused
from snakepit_bridge.values import decode, encode, encode_variable


@snakepit_bridge.function
def run_variables(ctx: CallContext, path: str):
    """Runs every example; gives back the differences, and how many rows there were."""
    run = _Run(ctx.session)
    file = json.loads(Path(path).read_text(encoding="utf-8"))
    for number, row in enumerate(file["variables"]):
        run.variable(f"v{number}", row)
    for row in file["refused_variables"]:
        run.refused_variable(row)
    return {
        "differences": run.differences,
        "accepted": run.accepted,
        "refused": run.refused,
        "skipped": run.skipped,
    }


class _Run:
    def __init__(self, session) -> None:
        self.session = session
        self.differences: list[str] = []
        self.accepted = 0
        self.refused = 0
        self.skipped: list[str] = []

    def variable(self, name, row):
        self.session.register(name, row["type"], value_of(row["initial"]), constraints_of(row))
        version = 1
        for given in row["accepted"]:
            try:
                value = value_of(given)
            except Unsupported:
                # Without the package that has it, Python has no such element type.
                self.skipped.append(dtype_of(given))
                continue
            version += 1
            if self.session.set(name, value, expected_version=version - 1) != version:
                self.differences.append(f"{given}: not version {version}")
            self.same(given, value, self.session[name])
            self.accepted += 1
        stored = self.session[name]
        for each in row["refused"]:
            self.refuse(name, row, each)
        self.same(row, stored, self.session[name])
        for each in row["updates"]:
            self.update(name, each)

    def refuse(self, name, row, each):
        try:
            value = value_of(each["value"])
        except Unsupported:
            self.skipped.append(dtype_of(each["value"]))
            return
        if each.get("python") is False:
            return
        calls = (
            lambda: self.session.set(name, value),
            lambda: self.session.register("never", row["type"], value, constraints_of(row)),
        )
        for call in calls:
            self.expect(each, each["details"], each["status"], call)

    def update(self, name, each):
        change = value_of(each["update"])
        try:
            encode(change)
        except ValueRefused:
            # Python sends a float that is not finite only as the whole value of a variable.
            return
        self.session.set(name, value_of(each["from"]))
        if "result" in each:
            self.same(each, value_of(each["result"]), self.session.update(name, **change))
            self.accepted += 1
        else:
            call = functools.partial(self.session.update, name, **change)
            self.expect(each, each["details"], each["status"], call)

    def refused_variable(self, row):
        details = {"constraint": row["constraint"], "variable": "never"}
        self.expect(
            row,
            details,
            "INVALID_ARGUMENT",
            lambda: self.session.register("never", row["type"], None, constraints_of(row)),
        )

    def expect(self, row, details, status, call):
        self.refused += 1
        try:
            call()
        except BridgeError as error:
            if error.status != Status[row.get("python", status)]:
                self.differences.append(f"{row}: {error.status.name}: {error}")
            # What Python refuses by itself is told by its place.
            told = error.details if "python" not in row else details
            for key, expected in details.items():
                if json.dumps(told.get(key)) != json.dumps(expected):
                    self.differences.append(f"{row}: {key} is {told.get(key)!r}")
        else:
            self.differences.append(f"{row}: accepted")

    def same(self, row, expected, seen):
        if as_sent(expected) != as_sent(seen) or type(expected) is not type(seen):
            self.differences.append(f"{row}: read as {seen!r}")


def as_sent(value):
    """The document and the attachments of a value, in a form that can be compared."""
    document, attachments = encode_variable(value)
    return document, [
        (each[0], tuple(each[1]), bytes(each[2])) if isinstance(each, tuple) else bytes(each)
        for each in attachments
    ]


def value_of(given):
    """The object of a value as the file writes it."""
    if isinstance(given, str):
        return decode(given.encode(), [])
    return decode(given["json"].encode(), [attachment_of(each) for each in given["attachments"]])


def attachment_of(each):
    """A blob's bytes, or a tensor's dtype, shape and bytes."""
    if "tensor" in each:
        tensor = each["tensor"]
        return tensor["dtype"], tuple(tensor["shape"]), bytes.fromhex(tensor["data_hex"])
    return bytes.fromhex(each["blob_hex"])


def constraints_of(row):
    """The constraints as a dict."""
    return decode(row["constraints"].encode(), []) if row["constraints"] else None


def dtype_of(given):
    """The element type of a value that is one tensor."""
    return given["attachments"][0]["tensor"]["dtype"]
