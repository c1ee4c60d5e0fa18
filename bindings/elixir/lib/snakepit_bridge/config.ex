defmodule SnakepitBridge.Config do
  # The configuration document of a platform, from how people write it in Elixir.
  # Owns: keyword lists as objects, and what the environment names. Must not know: the keys'
  # meaning, which the library checks.
  @moduledoc false

  alias SnakepitBridge.{Native, Payload}

  @type t :: map() | keyword() | String.t()

  # The document as a map with texts as keys, and as JSON.
  @spec document(t()) :: {:ok, map(), binary()} | Native.failure()
  def document(config) do
    with {:ok, document} <- read(config),
         completed = complete(document),
         {:ok, json} <- Payload.json(completed),
         do: {:ok, completed, json}
  end

  # Whether reads and writes of variables may wait for a disk or a server.
  @spec waits_for_store?(map()) :: boolean()
  def waits_for_store?(document) do
    get_in(document, ["state", "store"]) not in [nil, "memory"]
  end

  defp read(text) when is_binary(text) do
    with {:ok, value} <- Native.value_from_json(if(text == "", do: "{}", else: text)),
         do: Native.value_decode(value)
  end

  defp read([]), do: {:ok, %{}}
  defp read(fields), do: {:ok, plain(fields)}

  # Keys become texts, keyword lists objects. Values of other kinds are the encoder's to judge.
  defp plain(%{__struct__: _} = struct), do: struct
  defp plain(%{} = map), do: Map.new(map, fn {key, value} -> {text(key), plain(value)} end)
  defp plain([{key, _} | _] = fields) when is_atom(key), do: fields |> Map.new() |> plain()
  defp plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  defp plain(other), do: other

  defp text(key) when is_atom(key), do: Atom.to_string(key)
  defp text(key), do: key

  # SPB_GUARD and SPB_PYTHON name what the document leaves open, so that one configuration serves
  # the machines of developers and of production.
  defp complete(%{} = document) do
    document
    |> named("guard_path", System.get_env("SPB_GUARD"))
    |> complete_pools(System.get_env("SPB_PYTHON"))
  end

  defp complete(other), do: other

  defp complete_pools(document, unset) when unset in [nil, ""], do: document

  defp complete_pools(document, python) do
    case Map.get(document, "pools", %{"default" => %{}}) do
      %{} = pools ->
        named = Map.new(pools, fn {name, pool} -> {name, named(pool, "python", python)} end)
        Map.put(document, "pools", named)

      _ ->
        document
    end
  end

  defp named(%{} = fields, key, text) when text not in [nil, ""] do
    Map.put_new(fields, key, text)
  end

  defp named(fields, _key, _text), do: fields
end
