defmodule SnakepitBridge.Variable do
  # A variable as it was read. Must not know: where it is kept.
  @moduledoc """
  A variable of a session, as `SnakepitBridge.API.State.list/2` and
  `SnakepitBridge.API.State.get_many/2` read it.

    * `:name`, `:type` (a text such as `"integer"`);
    * `:id`, `:version` - together they name one value of the session for good;
    * `:value`;
    * `:constraints`, `:metadata` - maps with texts as keys;
    * `:lock` - `%{owner: text, expires_in_ms: milliseconds}` or `nil`.
  """

  defstruct [:name, :type, :id, :version, :value, :lock, constraints: %{}, metadata: %{}]

  @type t :: %__MODULE__{
          name: String.t(),
          type: String.t(),
          id: non_neg_integer(),
          version: pos_integer(),
          value: term(),
          constraints: map(),
          metadata: map(),
          lock: %{owner: String.t(), expires_in_ms: non_neg_integer()} | nil
        }

  @doc false
  @spec from_document(map()) :: t()
  def from_document(document) do
    %__MODULE__{
      name: document["name"],
      type: document["type"],
      id: document["id"],
      version: document["version"],
      value: document["value"],
      constraints: document["constraints"] || %{},
      metadata: document["metadata"] || %{},
      lock: lock(document["lock"])
    }
  end

  defp lock(%{"owner" => owner, "expires_in_ms" => left}),
    do: %{owner: owner, expires_in_ms: left}

  defp lock(_none), do: nil
end
