defmodule SnakepitBridge.Change do
  # What a watch tells. Must not know: how it is delivered.
  @moduledoc """
  What a watch of variables tells: an element of `SnakepitBridge.API.State.watch/3`, and the
  content of the messages of `SnakepitBridge.API.State.subscribe/3`.

    * `:kind` - `:initial`, `:registered`, `:written`, `:deleted`, `:locked`, `:unlocked`;
      `:missed` for changes that were not kept; `:end` as the last one;
    * `:name`, `:id`, `:version` of the variable, `:revision` of the session (`nil` in
      `:initial`);
    * `:value` - where there is one; `:owner` - where it was locked;
    * `:missed` - how many were not kept, 0 if nobody knows: read what has to be current;
    * `:error` - why the watch ended, in `:end`: a `SnakepitBridge.Error`.
  """

  defstruct [:kind, :name, :id, :version, :revision, :value, :owner, :missed, :error]

  @type kind ::
          :initial | :registered | :written | :deleted | :locked | :unlocked | :missed | :end
  @type t :: %__MODULE__{
          kind: kind(),
          name: String.t() | nil,
          id: non_neg_integer() | nil,
          version: pos_integer() | nil,
          revision: non_neg_integer() | nil,
          value: term(),
          owner: String.t() | nil,
          missed: non_neg_integer() | nil,
          error: SnakepitBridge.Error.t() | nil
        }

  @kinds Map.new(
           [:initial, :registered, :written, :deleted, :locked, :unlocked],
           &{Atom.to_string(&1), &1}
         )

  # Kinds that this version does not know are not told.
  @doc false
  @spec from_document(map()) :: t() | nil
  def from_document(%{"kind" => kind} = document) when is_map_key(@kinds, kind) do
    %__MODULE__{
      kind: Map.fetch!(@kinds, kind),
      name: document["name"],
      id: document["id"],
      version: document["version"],
      revision: document["revision"],
      value: document["value"],
      owner: document["owner"]
    }
  end

  def from_document(_document), do: nil
end
