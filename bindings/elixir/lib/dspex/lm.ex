defmodule DSPex.LM do
  # The settings of a language model as the document that operations take as `lm`.
  # Owns: which settings each kind has (docs/host_lm.md), and the configured default. Must not know:
  # what values settings may have (the platform's schemas do), sessions, calls.
  @moduledoc """
  Language models for `DSPex`, as `DSPex.lm/2` and `DSPex.lm/3` make them.

  | kind | who answers | settings of its own |
  | --- | --- | --- |
  | `:host` | a tool of this program: keys, cache and bill stay here | `:model`, `:supports` |
  | `"provider/model"` | a provider, asked by the worker | `:api_key_env`, `:api_base`, `:cache` |
  | `:transformers` | a model that framework `transformers` holds in the same pool | |

  All have `:temperature`, `:max_tokens`, `:top_p`, `:stop` and `:seed`; `:host` and providers also
  `:presence_penalty`, `:frequency_penalty`, `:retries`, `:timeout_ms` (milliseconds for one
  request) and `:extra`. A key is never a setting: `:api_key_env` is the *name* of a variable of
  the worker's environment.

  A model for all calls that name none is configured:

      config :snakepit_bridge, DSPex, lm: ["openai/gpt-4o-mini", api_key_env: "OPENAI_API_KEY"]

  The list holds the arguments of `DSPex.lm/3`; the document that it answers will do, too.
  """

  @typedoc "The document of a language model, as operations take it."
  @type t :: %{required(:kind) => String.t(), optional(atom()) => term()}

  @sampling [:temperature, :max_tokens, :top_p, :stop, :seed]
  @remote @sampling ++ [:presence_penalty, :frequency_penalty, :retries, :timeout_ms, :extra]
  @settings %{
    "host_tool" => [:model, :supports | @remote],
    "litellm" => [:api_key_env, :api_base, :cache | @remote],
    "transformers" => @sampling
  }

  @doc false
  @spec new(:host | :transformers | String.t(), String.t() | atom() | keyword(), keyword()) :: t()
  def new(kind, name_or_settings, settings)

  def new(:host, tool, settings), do: document("host_tool", :tool, name(tool), settings)

  def new(:transformers, model, settings),
    do: document("transformers", :model, name(model), settings)

  def new(model, more, settings) when is_binary(model) and is_list(more) do
    unless model =~ ~r{\A[^/]+/.} do
      raise ArgumentError,
            "language model #{inspect(model)}, expected \"provider/model\" as in " <>
              "\"openai/gpt-4o-mini\", or DSPex.lm(:host, \"tool\")"
    end

    document("litellm", :model, model, more ++ settings)
  end

  def new(kind, _name, _settings) do
    raise ArgumentError,
          "language model of kind #{inspect(kind)}, expected :host, :transformers or " <>
            "\"provider/model\""
  end

  @doc false
  @spec default() :: t() | nil
  def default do
    case Application.get_env(:snakepit_bridge, DSPex, [])[:lm] do
      nil -> nil
      %{} = document -> document
      [kind | rest] -> apply(DSPex, :lm, [kind | arguments(rest)])
      model when is_binary(model) -> new(model, [], [])
    end
  end

  # `["tool", temperature: 0.2]` is how `DSPex.lm(:host, "tool", temperature: 0.2)` reads as a list.
  defp arguments(rest) do
    case Enum.split_while(rest, &(not is_tuple(&1))) do
      {names, []} -> names
      {names, settings} -> names ++ [settings]
    end
  end

  defp document(kind, key, name, settings) do
    unless Keyword.keyword?(settings) do
      raise ArgumentError,
            "settings of a language model #{inspect(settings)}, expected a keyword list"
    end

    known = Map.fetch!(@settings, kind)
    for {setting, _value} <- settings, setting not in known, do: refuse(setting, kind, known)
    settings |> Map.new() |> Map.merge(%{:kind => kind, key => name})
  end

  defp refuse(setting, kind, known) do
    raise ArgumentError,
          "setting #{inspect(setting)} of a language model of kind #{kind}, expected one of " <>
            Enum.map_join(known, ", ", &inspect/1)
  end

  defp name(name) when is_binary(name) and name != "", do: name
  defp name(name) when is_atom(name) and name not in [nil, true, false], do: Atom.to_string(name)

  defp name(other) do
    raise ArgumentError, "name of a language model #{inspect(other)}, expected a string"
  end
end
