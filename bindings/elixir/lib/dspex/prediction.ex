defmodule DSPex.Prediction do
  # What a program answered, with what was told besides.
  # Owns: the shape of a result of `predict`, `run` and their like as a struct. Must not know:
  # signatures, and how it was asked.
  @moduledoc """
  What a program answered.

  - `outputs`: the output fields by name (strings), `"reasoning"` among them where the program
    reasons. `prediction[:answer]` and `prediction["answer"]` read one; nil if there is none.
  - `trajectory`: the steps of an agent, maps with `"thought"`, `"tool"`, `"arguments"` and
    `"observation"`; nil for others.
  - `program`: `%{"variable" => name, "version" => number}` for a program that ran by its name.
  - `lm_calls`: requests to language models; `usage` and `usage_by_model`: tokens, as far as the
    models counted them.
  - `history` and `history_dropped`: with the option `history: true`, the newest requests, and how
    many older ones were not kept.
  """
  @behaviour Access

  # Requests and steps are long; who wants them asks for them.
  @derive {Inspect, except: [:history, :trajectory, :usage_by_model]}
  defstruct outputs: %{},
            trajectory: nil,
            program: nil,
            lm_calls: 0,
            usage: %{},
            usage_by_model: %{},
            history: nil,
            history_dropped: nil

  @type t :: %__MODULE__{
          outputs: %{optional(String.t()) => term()},
          trajectory: [map()] | nil,
          program: map() | nil,
          lm_calls: non_neg_integer(),
          usage: %{optional(String.t()) => non_neg_integer()},
          usage_by_model: %{optional(String.t()) => map()},
          history: [map()] | nil,
          history_dropped: non_neg_integer() | nil
        }

  @doc false
  @spec new(map()) :: t()
  def new(result) do
    fields = for key <- Map.keys(%__MODULE__{}), key != :__struct__, do: {key, Atom.to_string(key)}

    found = for {key, name} <- fields, Map.has_key?(result, name), do: {key, result[name]}
    struct!(__MODULE__, found)
  end

  @impl Access
  def fetch(%__MODULE__{outputs: outputs}, field), do: Map.fetch(outputs, to_string(field))

  @impl Access
  def get_and_update(%__MODULE__{outputs: outputs} = prediction, field, fun) do
    {value, outputs} = Map.get_and_update(outputs, to_string(field), fun)
    {value, %{prediction | outputs: outputs}}
  end

  @impl Access
  def pop(%__MODULE__{outputs: outputs} = prediction, field) do
    {value, outputs} = Map.pop(outputs, to_string(field))
    {value, %{prediction | outputs: outputs}}
  end
end
