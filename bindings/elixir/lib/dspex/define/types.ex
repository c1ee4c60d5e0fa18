defmodule DSPex.Define.Types do
  # Elixir's types for the types of a signature, as quoted code for `@type`.
  # Owns: which type stands for which. Must not know: modules, functions, documentation.
  @moduledoc false

  alias DSPex.Signature
  alias DSPex.Signature.Field

  @doc false
  @spec output(Signature.type()) :: Macro.t()
  def output(type), do: spec(type, quote(do: float()))

  # An integer does where a program expects a float.
  @doc false
  @spec input(Signature.type()) :: Macro.t()
  def input(type), do: spec(type, quote(do: number()))

  # Keywords, a map with atoms, or a map with strings, of which no more can be said.
  @doc false
  @spec inputs([Field.t()]) :: Macro.t()
  def inputs(fields) do
    pairs = for field <- fields, do: {String.to_atom(field.name), input(field.type)}
    union = Enum.reduce(pairs, nil, fn pair, rest -> either(pair, rest) end)
    keys = for {{name, type}, field} <- Enum.zip(pairs, fields), do: {key(name, field), type}

    quote do
      [unquote(union)] | unquote({:%{}, [], keys}) | %{optional(String.t()) => term()}
    end
  end

  defp key(name, field) do
    if Signature.optional?(field.type),
      do: quote(do: optional(unquote(name))),
      else: quote(do: required(unquote(name)))
  end

  defp either(pair, nil), do: pair
  defp either(pair, rest), do: quote(do: unquote(rest) | unquote(pair))

  defp spec(type, float) do
    case type do
      :str -> quote(do: String.t())
      :int -> quote(do: integer())
      :float -> float
      :bool -> quote(do: boolean())
      :any -> quote(do: term())
      :none -> nil
      :list -> quote(do: [term()])
      :dict -> quote(do: %{optional(String.t()) => term()})
      {:list, item} -> quote(do: [unquote(spec(item, float))])
      {:dict, item} -> quote(do: %{optional(String.t()) => unquote(spec(item, float))})
      {:literal, values} -> union(Enum.uniq(Enum.map(values, &literal/1)))
      {:union, types} -> union(Enum.map(types, &spec(&1, float)))
    end
  end

  # There is no type for one text.
  defp literal(text) when is_binary(text), do: quote(do: String.t())
  defp literal(value), do: value

  defp union(types),
    do: Enum.reduce(types, fn type, rest -> quote(do: unquote(rest) | unquote(type)) end)
end
