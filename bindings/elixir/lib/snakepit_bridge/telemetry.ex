defmodule SnakepitBridge.Telemetry do
  # Events of calls, tools and sessions, handed to whoever measures.
  # Owns: the handlers and the form of events. Must not know: what the events are used for.
  @moduledoc """
  What the library does, as events: a plain behaviour, and `:telemetry` where that is loaded.

      defmodule MyApp.BridgeMetrics do
        @behaviour SnakepitBridge.Telemetry

        @impl true
        def handle_event([:snakepit_bridge, :call, :stop], %{duration: duration}, metadata) do
          MyApp.Metrics.record(metadata.operation, duration)
        end

        def handle_event(_event, _measurements, _metadata), do: :ok
      end

      config :snakepit_bridge, telemetry: [MyApp.BridgeMetrics]

  If the module `:telemetry` can be loaded when the application starts, each event is also
  executed by it, under the same name.

  | event (after `:snakepit_bridge`) | measurements | metadata |
  | --- | --- | --- |
  | `[:call, :start]` | `system_time` | those of a call, below |
  | `[:call, :stop]` | `duration` | the same, `status: :ok` |
  | `[:call, :exception]` | `duration` | the same, `status`, `error` |
  | `[:tool, :start]` | `system_time` | `tool`, `platform` |
  | `[:tool, :stop]` | `duration` | the same, `status: :ok` |
  | `[:tool, :exception]` | `duration` | the same, `status`, `error` |
  | `[:session, :open]` | `system_time` | `session`, `platform` |
  | `[:session, :close]` | `system_time` | the same |

  The metadata of a call are `kind`, `framework`, `operation`, `session`, `platform` and `pool`.
  `kind` is `:execute` or `:tool_call` (then `framework` is `nil` and `operation` the tool's
  name). `exception` is every end that is not `:ok`: `status` is the one of the
  `SnakepitBridge.Error` in `error`. Times are in native units, as `System.monotonic_time/0` has
  them. A tool's events are of its process; one that was killed has no end there, its caller has.
  Parameters and results are in no event.

  Handlers run in the process that the event is of, so they should be quick. One that raises is
  taken off and logged, and the call goes on.
  """

  require Logger

  @type event :: [atom(), ...]

  @doc "Is told of an event. What it returns is ignored."
  @callback handle_event(event(), measurements :: map(), metadata :: map()) :: any()

  @key {__MODULE__, :handlers}

  @doc """
  Adds a handler, a module with `c:handle_event/3`, for the rest of this node's life or until
  `detach/1`. Those of `config :snakepit_bridge, telemetry: [...]` are there from the start.
  Adding one twice changes nothing. Meant for the start of a program: it is slow, handlers are
  read far more often.
  """
  @spec attach(module()) :: :ok
  def attach(handler) when is_atom(handler) do
    :persistent_term.put(@key, Enum.uniq(handlers() ++ [handler]))
  end

  @doc "Takes a handler off; one that is not there changes nothing."
  @spec detach(module()) :: :ok
  def detach(handler) when is_atom(handler) do
    :persistent_term.put(@key, List.delete(handlers(), handler))
  end

  @doc false
  @spec attach_configured() :: :ok
  def attach_configured do
    configured = Application.get_env(:snakepit_bridge, :telemetry, [])
    library = if Code.ensure_loaded?(:telemetry), do: [:telemetry], else: []
    :persistent_term.put(@key, Enum.uniq(handlers() ++ configured ++ library))
  end

  # Begins a span; nothing at all when nobody listens. Metadata is only made when somebody does.
  @doc false
  @spec start(atom(), (() -> map())) :: nil | {atom(), map(), integer()}
  def start(what, metadata) do
    case handlers() do
      [] ->
        nil

      handlers ->
        metadata = metadata.()
        tell(handlers, [what, :start], %{system_time: System.system_time()}, metadata)
        {what, metadata, System.monotonic_time()}
    end
  end

  # Ends a span with what came out of it, and gives that back.
  @doc false
  @spec stop(nil | {atom(), map(), integer()}, outcome) :: outcome when outcome: term()
  def stop(nil, outcome), do: outcome

  def stop({what, metadata, began}, outcome) do
    measurements = %{duration: System.monotonic_time() - began}

    case outcome do
      {:error, %{status: status} = error} ->
        metadata = Map.merge(metadata, %{status: status, error: error})
        tell(handlers(), [what, :exception], measurements, metadata)

      _ok ->
        tell(handlers(), [what, :stop], measurements, Map.put(metadata, :status, :ok))
    end

    outcome
  end

  @doc false
  @spec tell(event(), map()) :: :ok
  def tell(event, metadata) do
    tell(handlers(), event, %{system_time: System.system_time()}, metadata)
  end

  defp handlers, do: :persistent_term.get(@key, [])

  defp tell(handlers, event, measurements, metadata) do
    Enum.each(handlers, &tell_one(&1, [:snakepit_bridge | event], measurements, metadata))
  end

  defp tell_one(handler, event, measurements, metadata) do
    if handler == :telemetry do
      # By name, because the library does without it.
      apply(:telemetry, :execute, [event, measurements, metadata])
    else
      handler.handle_event(event, measurements, metadata)
    end
  catch
    kind, reason ->
      detach(handler)
      trouble = Exception.format(kind, reason, __STACKTRACE__)
      Logger.error("#{inspect(handler)} failed and hears of no more events: #{trouble}")
  end
end
