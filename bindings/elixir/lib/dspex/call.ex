defmodule DSPex.Call do
  # How a function of DSPex becomes one call of framework `dspy`.
  # Owns: which options are the call's and which are parameters, and the life of a metric that is a
  # function. Must not know: signatures, programs, what an operation does with its parameters.
  @moduledoc false

  alias DSPex.LM
  alias SnakepitBridge.API.Frameworks
  alias SnakepitBridge.API.Tools
  alias SnakepitBridge.Error

  # Options of SnakepitBridge.API.Frameworks.execute/5 and stream/5; all others are parameters.
  @of_calls [:pool, :timeout, :traceparent, :affinity, :parent, :window]

  @doc false
  @spec execute(SnakepitBridge.Session.t(), String.t(), map(), keyword()) ::
          {:ok, term()} | {:error, Error.t()}
  def execute(session, operation, parameters, opts) do
    {of_call, parameters, metric} = read(parameters, opts)

    with {:ok, tool} <- serve(session, metric) do
      try do
        Frameworks.execute(session, "dspy", operation, parameters, of_call)
      after
        withdraw(tool)
      end
    end
  end

  @doc false
  @spec stream(SnakepitBridge.Session.t(), String.t(), map(), keyword(), (term() -> term())) ::
          Enumerable.t()
  def stream(session, operation, parameters, opts, read_result) do
    {of_call, parameters, metric} = read(parameters, opts)

    Stream.transform(
      [:once],
      fn -> serve(session, metric) end,
      fn
        :once, {:ok, _tool} = served ->
          events = Frameworks.stream(session, "dspy", operation, parameters, of_call)
          {Stream.map(events, &event(&1, read_result)), served}

        :once, {:error, error} = failed ->
          {[{:error, error}], failed}
      end,
      fn
        {:ok, tool} -> withdraw(tool)
        {:error, _error} -> :ok
      end
    )
  end

  @doc false
  @spec with_default_lm(keyword()) :: keyword()
  def with_default_lm(opts) do
    case Keyword.has_key?(opts, :lm) || LM.default() do
      found when found in [true, nil] -> opts
      lm -> [{:lm, lm} | opts]
    end
  end

  # Keyword lists become maps, at every depth, since Elixir writes objects so.
  @doc false
  @spec plain(term()) :: term()
  def plain([{key, _} | _] = list) when is_atom(key) do
    if Keyword.keyword?(list),
      do: Map.new(list, fn {key, value} -> {key, plain(value)} end),
      else: list
  end

  def plain(list) when is_list(list), do: Enum.map(list, &plain/1)
  def plain(%DSPex.Signature{text: text}), do: text
  def plain(%_{} = struct), do: struct
  def plain(%{} = map), do: Map.new(map, fn {key, value} -> {key, plain(value)} end)
  def plain(other), do: other

  defp event({:result, result}, read_result), do: {:result, read_result.(result)}
  defp event(other, _read_result), do: other

  defp read(parameters, opts) do
    {of_call, given} = Keyword.split(opts, @of_calls)
    given = for {key, value} <- given, value != nil, into: %{}, do: {key, object(key, value)}
    parameters = Map.merge(given, Map.new(parameters, fn {key, value} -> {key, plain(value)} end))
    metric_of(of_call, parameters)
  end

  # An empty keyword list is an empty object, where an object is meant.
  defp object(key, []) when key in [:config, :options], do: %{}
  defp object(_key, value), do: plain(value)

  defp metric_of(of_call, %{metric: metric} = parameters) do
    {document, function} = metric(metric)
    {of_call, %{parameters | metric: document}, function}
  end

  defp metric_of(of_call, parameters), do: {of_call, parameters, nil}

  defp metric({what, keys}) do
    {document, function} = metric(what)
    {Map.merge(document, plain(Map.new(keys))), function}
  end

  defp metric(function) when is_function(function, 1) or is_function(function, 2) do
    name = "dspex_metric_#{System.unique_integer([:positive])}"
    {%{kind: "host_tool", tool: name}, {name, function}}
  end

  defp metric(tool) when is_binary(tool), do: {%{kind: "host_tool", tool: tool}, nil}
  defp metric(kind) when is_atom(kind), do: {%{kind: kind}, nil}
  defp metric(%{} = document), do: {document, nil}

  defp metric(other) do
    raise ArgumentError,
          "metric #{inspect(other)}, expected a function of (example, prediction), the name of " <>
            "a tool, a kind as :exact_match, {one of these, keys} or a map"
  end

  defp serve(_session, nil), do: {:ok, nil}

  defp serve(session, {name, function}) do
    judge = if is_function(function, 1), do: function, else: &judge(function, &1)
    Tools.register(session, name, judge, description: "A metric of DSPex.")
  end

  defp judge(function, asked), do: function.(asked["example"], asked["prediction"])

  defp withdraw(nil), do: :ok
  defp withdraw(tool), do: Tools.unregister(tool)
end
