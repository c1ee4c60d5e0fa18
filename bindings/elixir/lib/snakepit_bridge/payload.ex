defmodule SnakepitBridge.Payload do
  # Terms to values of the library and back, each on the scheduler that its size asks for.
  # Owns: that choice. Must not know: what the values are for.
  @moduledoc false

  alias SnakepitBridge.Native

  # A value of a term; small ones are made where the caller runs.
  @spec encode(term()) :: {:ok, Native.resource()} | Native.failure()
  def encode(term) do
    case Native.value_encode(term) do
      :large -> Native.value_encode_large(term)
      done -> done
    end
  end

  # Parameters as the library takes them: nothing for nothing, a keyword list as an object.
  @spec parameters(map() | keyword() | nil) :: term()
  def parameters(empty) when empty in [nil, []] or empty == %{}, do: nil
  def parameters(fields), do: object(fields)

  # Gives a term to a function of the library; what takes long to encode, as a value.
  @spec give(term(), (term() -> :large | answer)) :: answer | Native.failure() when answer: term()
  def give(term, function) do
    with :large <- function.(term),
         {:ok, value} <- Native.value_encode_large(term),
         do: function.(value)
  end

  # A keyword list as a map; everything else as it is, for the library to judge.
  @spec object(term()) :: term()
  def object([{key, _} | _] = fields) when is_atom(key), do: Map.new(fields)
  def object(other), do: other

  # A JSON text of an object, or nothing for nothing.
  @spec json(map() | keyword() | nil) :: {:ok, binary() | nil} | Native.failure()
  def json(nil), do: {:ok, nil}

  def json(fields) do
    fields = if fields == [], do: %{}, else: object(fields)
    with {:ok, value} <- encode(fields), do: Native.value_to_json(value)
  end

  @spec decode(Native.payload()) :: {:ok, term()} | Native.failure()
  def decode({:term, term}), do: {:ok, term}
  def decode({:large, value}), do: Native.value_decode(value)

  # What an operation came to, decoded.
  @spec outcome({:ok, Native.payload()} | Native.failure()) :: {:ok, term()} | Native.failure()
  def outcome({:ok, payload}), do: decode(payload)
  def outcome({:error, _} = failure), do: failure

  # What an outcome holds, or its error raised.
  @spec bang!({:ok, given} | :ok | Native.failure()) :: given | :ok when given: term()
  def bang!(:ok), do: :ok
  def bang!({:ok, given}), do: given
  def bang!({:error, error}), do: raise(error)
end
