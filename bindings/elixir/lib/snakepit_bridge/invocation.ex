defmodule SnakepitBridge.Invocation do
  # A call of a tool as a term. Must not know: how it is answered.
  @moduledoc """
  A call of a tool of this host, as the tool's function gets it when it takes two arguments.

    * `:tool` - the tool's name;
    * `:session` - the id of the calling session
      (`SnakepitBridge.API.Tools.session/1` makes a session of it);
    * `:operation` - the operation that called, as the library shows it;
    * `:traceparent` - W3C trace context for what is done on behalf of this call;
    * `:stream?` - whether the caller takes chunks (`SnakepitBridge.API.Tools.emit/2`);
    * `:depth` - how many calls of operations and tools lie above this one;
    * `:platform` - the name of the platform.

  Calls of the API that the tool's own process makes are nested in it by themselves: they have no
  more time than it has and end with it. For calls in other processes pass `parent: invocation`.
  """

  @enforce_keys [:ref, :tool, :platform]
  defstruct @enforce_keys ++ [:session, :operation, :traceparent, :depth, stream?: false]

  @type t :: %__MODULE__{
          ref: reference(),
          tool: String.t(),
          platform: atom(),
          session: String.t() | nil,
          operation: term(),
          traceparent: String.t() | nil,
          depth: non_neg_integer() | nil,
          stream?: boolean()
        }
end
