defmodule SnakepitBridge.Operation do
  # A call under way as a term. Must not know: how it is awaited.
  @moduledoc """
  A call under way, made by `SnakepitBridge.API.Frameworks.async/5` or
  `SnakepitBridge.API.Tools.async/4`.

  It belongs to the process that made it: that one gets its end, and when that one dies the call
  is cancelled. The end is one message, `{:snakepit_bridge, operation.ref, {:done, outcome}}`;
  `SnakepitBridge.API.Frameworks.await/2` waits for it, and
  `SnakepitBridge.API.Frameworks.outcome/2` reads it in a `handle_info/2`.
  """

  @enforce_keys [:ref, :owner, :number, :span]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          ref: reference(),
          owner: pid(),
          number: non_neg_integer() | nil,
          span: term()
        }
end
