defmodule SnakepitBridge.Conformance.Documents do
  # Scenarios and traces as text: read from JSON, written so that four hosts write the same bytes.
  # Owns: the forms of tests/conformance/README.md. Must not know: what steps do.

  alias SnakepitBridge.{Blob, Error, Native, Tensor}

  def read!(path) do
    {:ok, value} = path |> File.read!() |> Native.value_from_json()
    {:ok, document} = Native.value_decode(value)
    document
  end

  # `{"$blob": hex}` and `{"$tensor": …}` as the binding's own bytes and arrays.
  def to_host(%{"$blob" => hex} = map) when map_size(map) == 1, do: %Blob{data: bytes(hex)}

  def to_host(%{"$tensor" => tensor} = map) when map_size(map) == 1 do
    dtype = String.to_atom(tensor["dtype"])
    %Tensor{dtype: dtype, shape: List.to_tuple(tensor["shape"]), data: bytes(tensor["data"])}
  end

  def to_host(%{} = map), do: Map.new(map, fn {key, value} -> {key, to_host(value)} end)
  def to_host(list) when is_list(list), do: Enum.map(list, &to_host/1)
  def to_host(other), do: other

  def from_host(%Blob{data: data}), do: %{"$blob" => hex(data)}

  def from_host(%Tensor{dtype: dtype, shape: shape, data: data}) do
    shape = if is_tuple(shape), do: Tuple.to_list(shape), else: shape
    %{"$tensor" => %{"dtype" => Atom.to_string(dtype), "shape" => shape, "data" => hex(data)}}
  end

  def from_host(%{} = map), do: Map.new(map, fn {key, value} -> {key, from_host(value)} end)
  def from_host(list) when is_list(list), do: Enum.map(list, &from_host/1)
  def from_host(other), do: other

  def status(%Error{status: status}), do: status |> Atom.to_string() |> String.upcase()

  def error(%Error{} = error) do
    %{
      "message" => error.message,
      "details" => from_host(error.details || %{}),
      "retryable" => error.retryable,
      "python_type" => error.python_type || ""
    }
  end

  # One line of a trace: no blanks, keys in the order of their bytes.
  def line(term), do: IO.iodata_to_binary(json(term))

  defp json(nil), do: "null"
  defp json(flag) when is_boolean(flag), do: Atom.to_string(flag)
  defp json(number) when is_integer(number), do: Integer.to_string(number)
  defp json(number) when is_float(number), do: :erlang.float_to_binary(number, [:short])
  defp json(text) when is_binary(text), do: [?", for(<<char::utf8 <- text>>, do: char(char)), ?"]

  defp json(list) when is_list(list),
    do: [?[, list |> Enum.map(&json/1) |> Enum.intersperse(?,), ?]]

  defp json(%{} = map) do
    pairs = map |> Enum.sort() |> Enum.map(fn {key, value} -> [json(key), ?:, json(value)] end)
    [?{, Enum.intersperse(pairs, ?,), ?}]
  end

  defp char(?"), do: ~S(\")
  defp char(?\\), do: ~S(\\)
  defp char(?\n), do: ~S(\n)
  defp char(?\t), do: ~S(\t)
  defp char(char), do: <<char::utf8>>

  defp bytes(hex), do: Base.decode16!(hex, case: :lower)
  defp hex(data), do: Base.encode16(data, case: :lower)
end
