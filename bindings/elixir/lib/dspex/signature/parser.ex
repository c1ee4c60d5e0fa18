defmodule DSPex.Signature.Parser do
  # From the text of a signature to `{name, type, column}` of its fields.
  # Owns: the grammar, a part of Python's: names, types in brackets, `|`. The list of types is that
  # of the Python side (frameworks/dspy/field_types.py). Must not know: which names are allowed.
  #
  # Everything answers `{:ok, …}` or `{:error, {column, message}}`. Tokens are those of the
  # scanner, `{kind, value, column}`.
  @moduledoc false

  alias DSPex.Signature.Scanner

  @type field :: {String.t(), DSPex.Signature.type(), pos_integer()}
  @type fault :: {:error, {pos_integer(), String.t()}}

  @spec parse(String.t()) :: {:ok, {[field()], [field()]}} | fault()
  def parse(text) do
    with {:ok, tokens} <- Scanner.scan(text),
         {:ok, inputs, rest} <- fields(tokens, "->"),
         {:ok, outputs, _end} <- fields(rest, :end) do
      {:ok, {inputs, outputs}}
    end
  end

  # Fields with commas between them up to `stop`; one comma may follow the last.
  defp fields([{_, value, _} = token | _], stop) when value == stop,
    do: fault(token, "a field name")

  defp fields(tokens, stop), do: fields(tokens, stop, [])

  defp fields([{_, stop, _} | rest], stop, [_ | _] = read), do: {:ok, Enum.reverse(read), rest}

  defp fields([{:name, name, column} | rest], stop, read) do
    with {:ok, type, rest} <- annotation(rest, name),
         {:ok, rest} <- separator(rest, stop) do
      fields(rest, stop, [{name, type, column} | read])
    end
  end

  defp fields([token | _], _stop, _read), do: fault(token, "a field name")

  defp separator([{_, stop, _} | _] = tokens, stop), do: {:ok, tokens}
  defp separator([{:mark, ",", _} | rest], _stop), do: {:ok, rest}
  defp separator([token | _], :end), do: fault(token, "`,` or the end")
  defp separator([token | _], stop), do: fault(token, "`,` or `#{stop}`")

  defp annotation([{:mark, ":", _} | rest], name), do: type(rest, name, 1)
  defp annotation(tokens, _name), do: {:ok, :str, tokens}

  # A type and its alternatives.
  defp type([{_, _, column} | _], name, depth) when depth > 64 do
    {:error, {column, "type of field `#{name}` is nested 65 deep, expected at most 64"}}
  end

  defp type(tokens, name, depth) do
    with {:ok, first, rest} <- single(tokens, name, depth) do
      alternatives(rest, name, depth, [first])
    end
  end

  defp alternatives([{:mark, "|", _} | rest], name, depth, read) do
    with {:ok, next, rest} <- single(rest, name, depth) do
      alternatives(rest, name, depth, [next | read])
    end
  end

  defp alternatives(rest, _name, _depth, [only]), do: {:ok, only, rest}
  defp alternatives(rest, _name, _depth, read), do: {:ok, {:union, Enum.reverse(read)}, rest}

  defp single([{:name, word, column}, {:mark, "[", _} | rest], name, depth) do
    bracketed(word, rest, {column, name, depth})
  end

  defp single([{:name, word, column} | rest], name, _depth) do
    case simple(word) do
      nil -> unknown(word, {column, name, 0})
      type -> {:ok, type, rest}
    end
  end

  defp single([{:mark, "(", _} | rest], name, depth) do
    with {:ok, type, rest} <- type(rest, name, depth + 1),
         {:ok, rest} <- expect(rest, ")") do
      {:ok, type, rest}
    end
  end

  defp single([token | _], name, _depth), do: fault(token, "a type of field `#{name}`")

  defp bracketed("Literal", rest, place), do: choices(rest, place, [])

  defp bracketed(word, rest, place) when word in ["list", "List", "Optional"] do
    with {:ok, item, rest} <- inner(rest, place), {:ok, rest} <- expect(rest, "]") do
      {:ok, if(word == "Optional", do: {:union, [item, :none]}, else: {:list, item}), rest}
    end
  end

  defp bracketed(word, [{_, _, column} | _] = rest, {_, name, _} = place)
       when word in ["dict", "Dict"] do
    with {:ok, key, rest} <- inner(rest, place),
         {:ok, rest} <- expect(rest, ","),
         {:ok, item, rest} <- inner(rest, place),
         {:ok, rest} <- expect(rest, "]") do
      if key == :str,
        do: {:ok, {:dict, item}, rest},
        else: {:error, {column, "keys of field `#{name}` are not str, expected dict[str, ...]"}}
    end
  end

  defp bracketed(word, _rest, place), do: unknown(word <> "[...]", place)

  defp inner(tokens, {_column, name, depth}), do: type(tokens, name, depth + 1)

  # The values of a Literal: texts, whole numbers, truth values.
  defp choices([{kind, value, _} | rest], place, read) when kind in [:text, :integer] do
    more_choices(rest, place, [value | read])
  end

  defp choices([{:name, word, _} | rest], place, read) when word in ["True", "False"] do
    more_choices(rest, place, [word == "True" | read])
  end

  defp choices([token | _], {_, name, _}, _read) do
    fault(token, "a choice of field `#{name}`: a string, an integer, True or False")
  end

  defp more_choices([{:mark, "]", _} | rest], _place, read),
    do: {:ok, {:literal, Enum.reverse(read)}, rest}

  defp more_choices([{:mark, ",", _}, {:mark, "]", _} | rest], _place, read),
    do: {:ok, {:literal, Enum.reverse(read)}, rest}

  defp more_choices([{:mark, ",", _} | rest], place, read), do: choices(rest, place, read)
  defp more_choices([token | _], _place, _read), do: fault(token, "`,` or `]`")

  defp expect([{:mark, mark, _} | rest], mark), do: {:ok, rest}
  defp expect([token | _], mark), do: fault(token, "`#{mark}`")

  defp simple(word) do
    case word do
      word when word in ["str", "int", "float", "bool", "list", "dict"] -> String.to_atom(word)
      "Any" -> :any
      "None" -> :none
      _ -> nil
    end
  end

  defp unknown(word, {column, name, _depth}) do
    known = "str, int, float, bool, Any, list[T], dict[str, T], Literal[...] or T | None"
    {:error, {column, "unknown type `#{word}` of field `#{name}`, expected #{known}"}}
  end

  defp fault({:end, _, column}, expected),
    do: {:error, {column, "the signature ends here, expected #{expected}"}}

  defp fault({:text, _, column}, expected),
    do: {:error, {column, "a string, expected #{expected}"}}

  defp fault({_, value, column}, expected),
    do: {:error, {column, "`#{value}`, expected #{expected}"}}
end
