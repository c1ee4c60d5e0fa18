defmodule SnakepitBridge.Tool do
  # A registration as a term. Must not know: how calls reach the function.
  @moduledoc """
  A registered tool, made by `SnakepitBridge.API.Tools.register/4`, for
  `SnakepitBridge.API.Tools.unregister/1`.

  The tool lives as long as its owner process, its session (if it is one session's) and its
  platform; dropping this term changes nothing.
  """

  @enforce_keys [:name, :platform, :ref, :resource]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          name: String.t(),
          platform: atom(),
          ref: reference(),
          resource: reference()
        }
end
