defmodule SnakepitBridge.Tools.Runner do
  # The process that answers one call of a tool: whatever the function does, the call has one
  # answer. Owns: what becomes of results, failures, raises, throws and exits. Must not know:
  # who called, where functions are kept.
  @moduledoc false

  require Logger

  alias SnakepitBridge.{Call, Error, Invocation, Native, Payload, Telemetry, Tool}

  @type tool_function ::
          (map() -> term()) | (map(), Invocation.t() -> term()) | {atom(), atom(), list()}
  @type context :: %{platform: atom(), tool: String.t(), invocation: Native.resource()}

  # One that was given up before it began needs no answer.
  @spec run(tool_function(), Tool.t(), non_neg_integer(), Native.payload()) :: :ok
  def run(function, %Tool{} = tool, id, payload) do
    with {:ok, invocation} <- Native.tool_take(tool.resource, id) do
      context = %{platform: tool.platform, tool: tool.name, invocation: invocation}
      answer_call(function, context, payload)
    end

    :ok
  end

  defp answer_call(function, context, payload) do
    Call.nest(context.platform, context.invocation)
    span = Telemetry.start(:tool, fn -> Map.take(context, [:platform, :tool]) end)

    outcome =
      with {:ok, arguments} <- Payload.decode(payload),
           {:ok, result} <- guarded(function, arguments, context) do
        complete(context.invocation, result)
      end

    answer(context.invocation, Telemetry.stop(span, typed(outcome)))
  end

  # Fails a call that its own process cannot answer.
  @spec refuse(Tool.t(), non_neg_integer(), keyword()) :: :ok
  def refuse(%Tool{resource: resource}, id, failure),
    do: fail(failure, &Native.tool_refuse(resource, id, &1))

  # Answers with a failure; one that comes too late is nobody's business any more.
  defp fail(failure, tell) do
    options = %{
      status: Keyword.get(failure, :status, :tool_failed),
      message: text(Keyword.get(failure, :message, "the tool failed")),
      retryable: Keyword.get(failure, :retryable, false) == true
    }

    options =
      case Payload.json(Keyword.get(failure, :details)) do
        {:ok, details} when details != nil -> Map.put(options, :details, details)
        _none_or_no_object -> options
      end

    case tell.(options) do
      {:error, %Error{status: :invalid_argument}} ->
        tell.(%{options | status: :tool_failed})

      _told_or_too_late ->
        :ok
    end

    :ok
  end

  defp guarded(function, arguments, context) do
    case apply_to(function, arguments, context) do
      :ok -> {:ok, nil}
      {:ok, result} -> {:ok, result}
      {:error, reason} -> {:failed, reason}
      result -> {:ok, result}
    end
  catch
    :error, %Error{} = error ->
      {:failed, error}

    kind, reason ->
      Logger.error(fn ->
        "tool #{context.tool} ended: " <> Exception.format(kind, reason, __STACKTRACE__)
      end)

      {:failed, ended(kind, reason, __STACKTRACE__)}
  end

  defp apply_to({module, function, arguments}, given, _context) do
    apply(module, function, [given | arguments])
  end

  defp apply_to(function, given, _context) when is_function(function, 1), do: function.(given)

  defp apply_to(function, given, context) when is_function(function, 2) do
    function.(given, described(context))
  end

  defp described(context) do
    base = %Invocation{ref: context.invocation, tool: context.tool, platform: context.platform}

    case Native.invocation_info(context.invocation) do
      {:ok, info} ->
        %Invocation{
          base
          | session: info["session"],
            operation: info["operation"],
            traceparent: info["traceparent"],
            depth: info["depth"],
            stream?: info["stream"] == true
        }

      {:error, _answered} ->
        base
    end
  end

  # A result that breaks the tool's schema, or is no value, is told to the caller as a failure.
  defp complete(invocation, result) do
    Payload.give(result, &Native.invocation_complete(invocation, &1))
  end

  # Whatever failed, as an error; nothing where the answer was given.
  defp typed({:failed, %Error{} = error}), do: {:error, error}
  defp typed({:failed, reason}), do: {:error, struct!(Error, described_failure(reason))}
  defp typed(outcome), do: outcome

  defp answer(_invocation, :ok), do: :ok

  defp answer(invocation, {:error, %Error{} = error}) do
    failure = [status: error.status, message: error.message, retryable: error.retryable]
    fail([{:details, error.details} | failure], &Native.invocation_fail(invocation, &1))
  end

  defp described_failure([{key, _} | _] = reason) when is_atom(key) do
    given = Keyword.take(reason, [:status, :message, :details, :retryable])
    Keyword.merge([status: :tool_failed, message: "the tool failed", details: %{}], given)
  end

  defp described_failure(%{__exception__: true} = exception) do
    [status: :tool_failed, message: Exception.message(exception), details: type_of(exception)]
  end

  defp described_failure(reason) do
    [status: :tool_failed, message: text(reason), details: %{}]
  end

  # Messages, but neither stacktraces nor what was thrown: those may hold what Python, and the
  # model behind it, must not see.
  defp ended(:error, reason, stacktrace) do
    exception = Exception.normalize(:error, reason, stacktrace)
    details = Map.put(type_of(exception), "kind", "raise")
    [message: Exception.message(exception), details: details]
  end

  defp ended(:throw, reason, _stacktrace) do
    [message: "the tool threw #{name_of(reason)}", details: %{"kind" => "throw"}]
  end

  defp ended(:exit, reason, _stacktrace) do
    [message: "the tool exited: #{name_of(reason)}", details: %{"kind" => "exit"}]
  end

  defp type_of(exception), do: %{"type" => inspect(exception.__struct__)}

  defp name_of(reason) when is_atom(reason), do: inspect(reason)

  defp name_of(reason) when is_tuple(reason) and tuple_size(reason) > 0,
    do: name_of(elem(reason, 0))

  defp name_of(_reason), do: "a term"

  defp text(text) when is_binary(text) do
    if String.valid?(text), do: text, else: inspect(text)
  end

  defp text(reason), do: name_of(reason) |> String.trim_leading(":")
end
