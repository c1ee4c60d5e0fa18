defmodule SnakepitBridge.Archive do
  # A session's content outside of any session. Must not know: what is in it.
  @moduledoc """
  What a session held at one moment, made by `SnakepitBridge.API.Sessions.export/1` and taken by
  `SnakepitBridge.API.Sessions.import_session/2` of any platform of this node, whatever its store.

  Opaque: numbers stay as they were written and tensors lie in memory once, which a term could not
  promise. To cross nodes or restarts, export to a file.
  """

  @enforce_keys [:value]
  defstruct @enforce_keys

  @opaque t :: %__MODULE__{value: reference()}
end
