defmodule SnakepitBridge.API.Frameworks do
  # Operations of Python frameworks, called; and how the pools that serve them are.
  # Owns: the verbs and their options. Must not know: any framework.
  @moduledoc """
  Calls of Python: an operation of a framework, in a session.

      {:ok, answer} = Frameworks.execute(session, :python, :shout, %{text: "hello"})

  `execute/5` waits, `async/5` does not, `stream/5` gives chunks as they come. All of them submit
  in microseconds and are carried out by threads of the library; no scheduler of the BEAM waits.

  **Processes.** The calling process gets the end. When it dies, however it dies, the call is
  cancelled. Any number of processes may call at the same time.

  **Values.** Parameters are a map or a keyword list; atoms other than `nil` and booleans arrive
  as texts. Bytes are `%SnakepitBridge.Blob{}`, arrays `%SnakepitBridge.Tensor{}`. Results have
  texts as keys. `SnakepitBridge` has the whole table.

  **Errors** are `{:error, %SnakepitBridge.Error{}}`. Of every call: `:not_found` (framework,
  operation, pool), `:invalid_argument` (parameters that do not fit; `details["path"]` has the
  place), `:type_mismatch`, `:resource_exhausted`, `:closed`, and while it runs
  `:python_exception` (with `python_type` and `python_traceback`), `:deadline`, `:cancelled`,
  `:worker_lost`, `:worker_hung`, `:unavailable`, `:busy`, `:session_worker_unavailable`,
  `:tool_failed`, `:protocol`.
  """

  alias SnakepitBridge.{Call, Error, Native, Operation, Payload, Platform, Reader, Session}
  alias SnakepitBridge.Telemetry

  @typedoc """
    * `:pool` - default `"default"`;
    * `:timeout` - milliseconds from now to the end, waiting for a worker included, or
      `:infinity`; default: as configured (five minutes);
    * `:affinity` - as of `t:SnakepitBridge.API.Sessions.option/0`, for this call;
    * `:traceparent` - W3C trace context; default: that of the parent, or a new one;
    * `:parent` - the `SnakepitBridge.Invocation` that the call is made for; default: the one that
      this process answers; `nil` for none.
  """
  @type option ::
          {:pool, atom() | String.t()}
          | {:timeout, timeout()}
          | {:affinity, :none | :hint | :strict_queue | :strict_fail_fast}
          | {:traceparent, String.t()}
          | {:parent, SnakepitBridge.Invocation.t() | nil}

  @typedoc "`:window` - chunks that Python may be ahead of the reader; default: as configured."
  @type stream_option :: option() | {:window, pos_integer()}

  @type name :: atom() | String.t()
  @type parameters :: map() | keyword()
  @type outcome :: {:ok, term()} | {:error, Error.t()}

  @doc """
  Executes an operation and waits for its end.
  """
  @spec execute(Session.t(), name(), name(), parameters(), [option()]) :: outcome()
  def execute(session, framework, operation, parameters \\ %{}, options \\ []) do
    session |> Call.execute(framework, operation, parameters, options) |> Call.run()
  end

  @doc "As `execute/5`, gives the result or raises the error."
  @spec execute!(Session.t(), name(), name(), parameters(), [option()]) :: term()
  def execute!(session, framework, operation, parameters \\ %{}, options \\ []) do
    session |> execute(framework, operation, parameters, options) |> Payload.bang!()
  end

  @doc """
  Begins to execute an operation. Its end comes to this process; a call that was refused has its
  end at once.
  """
  @spec async(Session.t(), name(), name(), parameters(), [option()]) :: Operation.t()
  def async(session, framework, operation, parameters \\ %{}, options \\ []) do
    session |> Call.execute(framework, operation, parameters, options) |> Call.async()
  end

  @doc """
  Waits for the end of an operation of this process. After `timeout` milliseconds the operation is
  cancelled and the outcome is an error with status `:deadline`, unless the result was first.

  To be asked once for each operation. Raises `ArgumentError` in a process that is not its owner.
  """
  @spec await(Operation.t(), timeout()) :: outcome()
  def await(operation, timeout \\ :infinity) do
    case yield(operation, timeout) do
      nil -> operation |> give_up() |> passed(timeout)
      outcome -> outcome
    end
  end

  @doc """
  Waits for the end of an operation of this process, and gives `nil` when it did not come in
  `timeout` milliseconds; it may be asked again then.

  Raises `ArgumentError` in a process that is not its owner.
  """
  @spec yield(Operation.t(), timeout()) :: outcome() | nil
  def yield(%Operation{ref: ref} = operation, timeout \\ 5_000) do
    owned!(operation)

    receive do
      {:snakepit_bridge, ^ref, {:done, outcome}} -> ended(operation, outcome)
    after
      timeout -> nil
    end
  end

  @doc """
  Reads the end of an operation from a message, for a `GenServer` that does not wait:

      def handle_info({:snakepit_bridge, _, {:done, _}} = message, state) do
        {:ok, result} = Frameworks.outcome(state.operation, message)

  Gives `nil` for a message that is not this operation's end.
  """
  @spec outcome(Operation.t(), term()) :: outcome() | nil
  def outcome(%Operation{ref: ref} = operation, {:snakepit_bridge, ref, {:done, outcome}}) do
    ended(operation, outcome)
  end

  def outcome(%Operation{}, _message), do: nil

  @doc """
  Asks an operation to end with `:cancelled`, at any moment and any number of times, from any
  process. Its end comes as always; it is the real result if that was first.
  """
  @spec cancel(Operation.t()) :: :ok | {:error, Error.t()}
  def cancel(%Operation{number: nil}), do: :ok
  def cancel(%Operation{number: number}), do: Native.operation_cancel(number)

  @doc """
  Executes an operation and gives what it streams: `{:chunk, term}` any number of times, then once
  `{:result, term}` or `{:error, %SnakepitBridge.Error{}}`.

  Lazy: the call begins when the first element is asked for, in the process that asks, anew each
  time it is enumerated. Taking chunks is what lets Python send more: a reader that is slow holds
  it back, at most `:window` chunks ahead (a further option; default: as configured, 256). A
  reader that stops early cancels the call.

      session
      |> Frameworks.stream(:dspy, :predict, parameters)
      |> Enum.each(fn
        {:chunk, chunk} -> IO.write(chunk["token"])
        {:result, prediction} -> IO.inspect(prediction)
        {:error, error} -> raise error
      end)
  """
  @spec stream(Session.t(), name(), name(), parameters(), [stream_option()]) ::
          Enumerable.t()
  def stream(session, framework, operation, parameters \\ %{}, options \\ []) do
    session
    |> Call.execute(framework, operation, parameters, options, [:window])
    |> Reader.events()
  end

  @doc "As `stream/5`, raises in place of the element `{:error, error}`."
  @spec stream!(Session.t(), name(), name(), parameters(), [stream_option()]) ::
          Enumerable.t()
  def stream!(session, framework, operation, parameters \\ %{}, options \\ []) do
    session |> stream(framework, operation, parameters, options) |> Stream.each(&raise_error/1)
  end

  @doc """
  Describes what operations take and give, as JSON Schema: of one framework, or with `""` a map of
  all. Option: `:pool`, for what one pool serves.

  Known once the first worker is ready (`await_ready/4`). Errors: `:not_found`, `:unavailable`.
  """
  @spec schema(atom(), name(), [{:pool, name()}]) :: outcome()
  def schema(platform \\ SnakepitBridge, framework \\ "", options \\ []) do
    [pool: pool] = Keyword.validate!(options, pool: nil)
    framework = to_string(framework)

    with {:ok, platform} <- Platform.fetch(platform) do
      case pool do
        nil -> Native.platform_schema(platform.ref, framework)
        pool -> Native.pool_schema(platform.ref, to_string(pool), framework)
      end
    end
  end

  @doc """
  Describes everything that a client can be generated from: frameworks pool by pool, tools,
  statuses, variable types and limits (docs/introspection.md).
  """
  @spec describe(atom()) :: outcome()
  def describe(platform \\ SnakepitBridge) do
    with {:ok, platform} <- Platform.fetch(platform), do: Native.platform_describe(platform.ref)
  end

  @doc "Reports how a platform is: live, ready, and the reasons why not, with one entry per pool."
  @spec health(atom()) :: outcome()
  def health(platform \\ SnakepitBridge) do
    with {:ok, platform} <- Platform.fetch(platform), do: Native.platform_health(platform.ref)
  end

  @doc "Renders all metrics in Prometheus's text format."
  @spec metrics(atom()) :: {:ok, String.t()} | {:error, Error.t()}
  def metrics(platform \\ SnakepitBridge) do
    with {:ok, platform} <- Platform.fetch(platform), do: Native.platform_metrics(platform.ref)
  end

  @doc "Reports a pool's counts, and one row per worker. Error: `:not_found`."
  @spec pool_stats(atom(), name()) :: {:ok, map()} | {:error, Error.t()}
  def pool_stats(platform \\ SnakepitBridge, pool \\ "default") do
    with {:ok, platform} <- Platform.fetch(platform),
         do: Native.pool_stats(platform.ref, to_string(pool))
  end

  @doc """
  Waits until `count` workers of a pool (0: all) are ready, for at most `timeout` milliseconds (0:
  as long as operations are configured to have).

  Errors: `:not_found`, `:deadline`, and `:unavailable` with the story of why no worker starts.
  """
  @spec await_ready(atom(), name(), non_neg_integer(), timeout()) :: :ok | {:error, Error.t()}
  def await_ready(platform \\ SnakepitBridge, pool \\ "default", count \\ 0, timeout \\ 0) do
    with {:ok, platform} <- Platform.fetch(platform) do
      settle(&Native.pool_await_ready(platform.ref, to_string(pool), count, timeout, self(), &1))
    end
  end

  @doc """
  Changes the number of a pool's workers: `workers` whatever the load, up to `workers_max` under
  load (0: a fixed size). More start at once, fewer leave when their calls have ended. A pool that
  was drained takes calls again.

  Errors: `:not_found`, `:invalid_argument`, `:closed`.
  """
  @spec resize(atom(), name(), pos_integer(), non_neg_integer()) :: :ok | {:error, Error.t()}
  def resize(platform, pool, workers, workers_max \\ 0) do
    with {:ok, platform} <- Platform.fetch(platform),
         do: Native.pool_resize(platform.ref, to_string(pool), workers, workers_max)
  end

  @doc """
  Empties a pool, and waits until no worker is left: calls that wait and new ones are refused,
  those that run may end within `grace` milliseconds (0: as configured). `resize/4` makes it serve
  again.
  """
  @spec drain(atom(), name(), timeout()) :: :ok | {:error, Error.t()}
  def drain(platform, pool, grace \\ 0) do
    with {:ok, platform} <- Platform.fetch(platform) do
      settle(&Native.pool_drain(platform.ref, to_string(pool), grace, self(), &1))
    end
  end

  defp settle(submit) do
    ref = make_ref()

    with {:ok, _operation} <- submit.(ref) do
      receive do
        {:snakepit_bridge, ^ref, {:done, outcome}} ->
          with {:ok, _nothing} <- Payload.outcome(outcome), do: :ok
      end
    end
  end

  defp ended(operation, outcome), do: Telemetry.stop(operation.span, Payload.outcome(outcome))

  defp give_up(operation) do
    cancel(operation)
    yield(operation, :infinity)
  end

  defp passed({:error, %Error{status: :cancelled} = error}, timeout) do
    message = "the operation has not ended in #{timeout} ms"
    {:error, %Error{error | status: :deadline, message: message, retryable: true}}
  end

  defp passed(outcome, _timeout), do: outcome

  defp owned!(%Operation{owner: owner}) do
    if owner != self() do
      raise ArgumentError,
            "the operation is of #{inspect(owner)}, and only that process gets its end"
    end
  end

  defp raise_error({:error, error}), do: raise(error)
  defp raise_error(_event), do: :ok
end
