"""The LangChain adapter (framework id `langchain`): pipelines, agents and graphs with the host's
language model and tools.

It needs langchain and langgraph and says so if one is missing or too old. Modules here
import LangChain at their top, so nothing outside may import this package before the framework is
configured. Graphs of a user's own modules build on `HostChatModel`, `host_tool` and
`StateCheckpointSaver`. Reading order: framework, documents, pipeline, agents, model, tools,
running, graphs, checkpoints.
"""

from __future__ import annotations

from . import compat

compat.require()

# After the version check, which explains what is missing.
from .checkpoints import StateCheckpointSaver  # noqa: E402
from .framework import LangChainFramework  # noqa: E402
from .model import HostChatModel  # noqa: E402
from .tools import host_tool  # noqa: E402

__all__ = ["HostChatModel", "LangChainFramework", "StateCheckpointSaver", "host_tool"]
