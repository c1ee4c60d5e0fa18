defmodule SnakepitBridge.Session do
  # A session as a term. Must not know: what is done with it.
  @moduledoc """
  A session: variables, tools and affinity that calls share.

  Made by `SnakepitBridge.API.Sessions`. Any process of this node may use it; it ends by
  `SnakepitBridge.API.Sessions.close/1`, when it was not used for its time, and with its platform,
  never because a process or the term went away.

    * `:id` - its name in the store;
    * `:platform` - the name of its platform.
  """

  @enforce_keys [:id, :platform, :ref, :io]
  defstruct @enforce_keys

  @type t :: %__MODULE__{id: String.t(), platform: atom(), ref: reference(), io: boolean()}

  defimpl Inspect do
    def inspect(session, _options) do
      "#SnakepitBridge.Session<#{session.id} of #{inspect(session.platform)}>"
    end
  end
end
