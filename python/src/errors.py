"""The exceptions of snakepit_bridge._native, written in Python because only Python can subclass its
exceptions with attributes in the stable ABI. Compiled into the extension; nothing imports this
file."""


class LinkClosed(ConnectionError):
    """The connection to the platform is closed: nothing can be sent, nothing more will come."""


class CallCancelled(Exception):
    """The call cannot go on: the host gave it up, or it has ended."""

    def __init__(self, reason, message="call was cancelled"):
        super().__init__(reason, message)
        self.reason = reason

    def __str__(self):
        return self.args[1]


class ValueRefused(ValueError):
    """A value that has no place on the link, with the path of what is wrong in it."""

    def __init__(self, path, message):
        super().__init__(path, message)
        self.path = path

    def __str__(self):
        return f"at {self.path}: {self.args[1]}"
