defmodule DSPex.Define.Text do
  # The documentation of the modules that `defdspy` makes.
  # Owns: its words. Must not know: how the modules work.
  @moduledoc false

  alias DSPex.Signature

  @doc false
  @spec moduledoc(String.t() | nil | false, atom(), Signature.t()) :: String.t() | false
  def moduledoc(false, _kind, _signature), do: false

  def moduledoc(doc, kind, signature) do
    """
    #{doc || "A program of DSPy."}

    Made by `DSPex.defdspy/3` of kind `#{inspect(kind)}` from

        #{signature.text |> String.split() |> Enum.join(" ")}

    | field | type | |
    | --- | --- | --- |
    #{rows(signature.inputs, "input")}
    #{rows(signature.outputs, "output")}
    """
  end

  @doc false
  @spec call(Signature.t()) :: String.t()
  def call(signature) do
    """
    Runs the program with #{names(signature.inputs)} and answers #{names(signature.outputs)}.

    `inputs` are keywords or a map; a missing or an unknown one is `:invalid_argument`, before
    anything is sent. Options are those of `DSPex.run/4`; with `:program` that program runs in place
    of this one's own, as `program: "name"` for one that a variable holds.
    """
  end

  @doc false
  @spec stream() :: String.t()
  def stream do
    """
    As `call/3`, as a stream of `{:chunk, map}` (see `DSPex.stream_predict/4`), ended by
    `{:result, struct}` or `{:error, error}`.
    """
  end

  @doc false
  @spec type(Signature.type()) :: String.t()
  def type(type) do
    case type do
      :any -> "Any"
      :none -> "None"
      {:list, item} -> "list[#{type(item)}]"
      {:dict, item} -> "dict[str, #{type(item)}]"
      {:literal, values} -> Enum.map_join(values, " or ", &inspect/1)
      {:union, types} -> Enum.map_join(types, " or ", &type/1)
      simple -> Atom.to_string(simple)
    end
  end

  defp rows(fields, side) do
    Enum.map_join(fields, "\n", &"| `#{&1.name}` | #{escaped(type(&1.type))} | #{side} |")
  end

  defp escaped(text), do: String.replace(text, "|", "\\|")

  defp names(fields), do: Enum.map_join(fields, ", ", &"`#{&1.name}`")
end
