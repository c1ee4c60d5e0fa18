defmodule DSPex.Signature.Scanner do
  # Cuts the text of a signature into tokens `{kind, value, column}`, the last of them an `:end`.
  # Owns: names, numbers, strings and marks as Python writes them. Must not know: types and fields.
  # Columns count characters from 1.
  @moduledoc false

  @type token ::
          {:name, String.t(), pos_integer()}
          | {:text, String.t(), pos_integer()}
          | {:integer, non_neg_integer(), pos_integer()}
          | {:mark, String.t(), pos_integer()}
          | {:end, :end, pos_integer()}

  @spec scan(String.t()) :: {:ok, [token()]} | {:error, {pos_integer(), String.t()}}
  def scan(text) do
    if String.valid?(text),
      do: scan(text, 1, []),
      else: {:error, {1, "not UTF-8, expected a string as in `question -> answer`"}}
  end

  defp scan("", column, read), do: arrows(Enum.reverse([{:end, :end, column} | read]))

  defp scan(<<blank, rest::binary>>, column, read) when blank in ' \t\n\r\f',
    do: scan(rest, column + 1, read)

  defp scan("->" <> rest, column, read),
    do: scan(rest, column + 2, [{:mark, "->", column} | read])

  defp scan(<<mark, rest::binary>>, column, read) when mark in ',:|[]()',
    do: scan(rest, column + 1, [{:mark, <<mark>>, column} | read])

  defp scan(<<quote, rest::binary>>, column, read) when quote in [?', ?"] do
    with {:ok, text, rest, next} <- string(rest, quote, column + 1, [], column) do
      scan(rest, next, [{:text, text, column} | read])
    end
  end

  defp scan(text, column, read) do
    with nil <- Regex.run(~r/\A[\p{L}_][\p{L}\p{M}\p{N}_]*/u, text),
         nil <- Regex.run(~r/\A(?:0|[1-9][0-9]*)(?![\p{L}\p{N}_.])/u, text) do
      {:error, {column, "`#{String.first(text)}`, expected `inputs -> outputs` of names and types"}}
    else
      [<<digit, _::binary>> = number] when digit in ?0..?9 ->
        taken(text, column, read, {:integer, String.to_integer(number), column}, number)

      [name] ->
        taken(text, column, read, {:name, name, column}, name)
    end
  end

  defp taken(text, column, read, token, word) do
    rest = binary_part(text, byte_size(word), byte_size(text) - byte_size(word))
    scan(rest, column + String.length(word), [token | read])
  end

  defp string(<<quote, rest::binary>>, quote, column, read, _start) do
    {:ok, read |> Enum.reverse() |> List.to_string(), rest, column + 1}
  end

  defp string(<<?\\, escaped::utf8, rest::binary>>, quote, column, read, start) do
    case escape(escaped) do
      nil ->
        {:error,
         {column, "`\\#{<<escaped::utf8>>}` in a string, expected \\\\, \\', \\\", \\n or \\t"}}

      char ->
        string(rest, quote, column + 2, [char | read], start)
    end
  end

  defp string(<<char::utf8, rest::binary>>, quote, column, read, start) when char != ?\n,
    do: string(rest, quote, column + 1, [char | read], start)

  defp string(_end, quote, _column, _read, start),
    do: {:error, {start, "a string that does not end, expected #{<<quote>>} behind it"}}

  defp escape(?n), do: ?\n
  defp escape(?t), do: ?\t
  defp escape(char) when char in [?\\, ?', ?"], do: char
  defp escape(_char), do: nil

  # Python looks for the arrow before anything else, in strings too.
  defp arrows(tokens) do
    marks = for {:mark, "->", column} <- tokens, do: column
    texts = for {:text, text, column} <- tokens, String.contains?(text, "->"), do: column

    case {marks, texts} do
      {[_], []} ->
        {:ok, tokens}

      {[], _} ->
        {:error, {1, "no `->`, expected `inputs -> outputs`"}}

      {[_], [column | _]} ->
        {:error, {column, "`->` in a string, expected it once, as the arrow"}}

      {[_, column | _], _} ->
        {:error, {column, "a second `->`, expected exactly one"}}
    end
  end
end
