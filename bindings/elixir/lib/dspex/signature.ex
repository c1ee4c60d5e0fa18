defmodule DSPex.Signature do
  # What a signature string says: its fields, by name and type, for checks and typespecs.
  # Owns: the fields and what Python allows as their names. The words of types are in
  # DSPex.Signature.Parser. Must not know: sessions, programs, how a signature is asked.
  @moduledoc """
  A signature: what goes in and what comes out of a program, as in

      "question, context: list[str] -> answer: float"

  Fields left of the arrow are inputs, those right of it outputs. A field without a type is a
  `str`. The types are `str`, `int`, `float`, `bool`, `Any`, `list[T]`, `dict[str, T]`,
  `Literal['a', 'b']`, `Optional[T]` and `T | None`; Python refuses others.

  Nothing has to be parsed to ask a program: `DSPex` sends the text as it is. This module reads it
  for those who want to know the fields beforehand. `DSPex.defdspy/3` does so when a module is
  compiled, so that a mistake is found there.

      iex> signature = DSPex.Signature.parse!("message -> label: Literal['urgent', 'routine']")
      iex> signature.outputs
      [%DSPex.Signature.Field{name: "label", type: {:literal, ["urgent", "routine"]}}]
  """

  alias DSPex.Signature.Parser
  alias SnakepitBridge.Error

  defmodule Field do
    # One field of a signature. Must not know which side of the arrow it is on.
    @moduledoc "One field of a `DSPex.Signature`: its `name`, a string, and its `type`."
    @enforce_keys [:name, :type]
    defstruct [:name, :type]

    @type t :: %__MODULE__{name: String.t(), type: DSPex.Signature.type()}
  end

  @enforce_keys [:text, :inputs, :outputs]
  defstruct [:text, :inputs, :outputs]

  @typedoc "`text` is the string as it was written, fields are in its order."
  @type t :: %__MODULE__{text: String.t(), inputs: [Field.t()], outputs: [Field.t()]}

  @typedoc "`:list` and `:dict` are those without a type of their items; their keys are strings."
  @type type ::
          :str
          | :int
          | :float
          | :bool
          | :any
          | :none
          | :list
          | :dict
          | {:list, type()}
          | {:dict, type()}
          | {:literal, [String.t() | integer() | boolean()]}
          | {:union, [type()]}

  @doc """
  Reads a signature string. A fault is `:invalid_argument`; the message and `details["column"]`
  (from 1) say where it is.
  """
  @spec parse(String.t()) :: {:ok, t()} | {:error, Error.t()}
  def parse(text) when is_binary(text) do
    with :ok <- limited(text),
         {:ok, {inputs, outputs}} <- Parser.parse(text),
         :ok <- named(inputs ++ outputs) do
      {:ok, %__MODULE__{text: text, inputs: fields(inputs), outputs: fields(outputs)}}
    else
      {:error, {column, message}} -> {:error, refusal(text, column, message)}
    end
  end

  @doc "As `parse/1`, but raises the error."
  @spec parse!(String.t()) :: t()
  def parse!(text) do
    case parse(text) do
      {:ok, signature} -> signature
      {:error, error} -> raise error
    end
  end

  @doc "Whether a field of this type may be left out: it allows `None`."
  @spec optional?(type()) :: boolean()
  def optional?(:none), do: true
  def optional?({:union, types}), do: Enum.any?(types, &optional?/1)
  def optional?(_type), do: false

  defp limited(text) when byte_size(text) <= 65_536, do: :ok
  defp limited(text), do: {:error, {1, "#{byte_size(text)} bytes, expected at most 65536"}}

  # Field names as DSPy has them: Python's words and those that its modules use themselves are out.
  defp named(fields) do
    Enum.reduce_while(fields, MapSet.new(), fn {name, _type, column}, seen ->
      case name_fault(name, seen) do
        nil -> {:cont, MapSet.put(seen, name)}
        fault -> {:halt, {:error, {column, "field name `#{name}` " <> fault}}}
      end
    end)
    |> then(&if(is_struct(&1), do: :ok, else: &1))
  end

  defp name_fault(name, seen) do
    cond do
      String.starts_with?(name, "_") -> "begins with an underscore, expected a letter first"
      name in keywords() -> "is a word of Python's, expected another"
      name in reserved() -> "has a meaning in DSPy, expected another"
      MapSet.member?(seen, name) -> "is there twice, expected distinct names"
      true -> nil
    end
  end

  defp fields(read), do: for({name, type, _column} <- read, do: %Field{name: name, type: type})

  defp refusal(text, column, message) do
    shown = if String.length(text) > 200, do: String.slice(text, 0, 200) <> "…", else: text

    %Error{
      status: :invalid_argument,
      message: "signature `#{shown}`, column #{column}: #{message}",
      details: %{"column" => column},
      retryable: false
    }
  end

  defp keywords do
    ~w(False None True and as assert async await break class continue def del elif else except
       finally for from global if import in is lambda nonlocal not or pass raise return try while
       with yield)
  end

  defp reserved, do: ~w(self signature demos config lm new_signature prediction max_iters)
end
