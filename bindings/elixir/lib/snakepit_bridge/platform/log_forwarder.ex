defmodule SnakepitBridge.Platform.LogForwarder do
  # Log records of a platform and of its Python workers, handed to Logger.
  # Owns: their form there, and the limit of what may wait. Must not know: who writes them.
  @moduledoc false

  use GenServer

  require Logger

  alias SnakepitBridge.{Native, Platform}

  # Records that may wait while Logger is behind; further ones are counted.
  @waiting_max 1_000
  # As the library counts them.
  @levels %{debug: 10, info: 20, warning: 30, error: 40}
  # What of a record becomes metadata, under which key.
  @fields [
    spb_pool: "pool",
    spb_worker: "worker",
    spb_session: "session",
    spb_call: "call",
    trace_id: "trace_id",
    spb_fields: "fields"
  ]

  @spec start_link({atom(), atom()}) :: GenServer.on_start()
  def start_link({name, level}), do: GenServer.start_link(__MODULE__, {name, level})

  @impl true
  def init({name, level}) do
    with {:ok, platform} <- Platform.fetch(name),
         ref = make_ref(),
         options = %{level: Map.fetch!(@levels, level)},
         {:ok, subscription} <- Native.log_subscribe(platform.ref, options, self(), ref) do
      {:ok, %{name: name, ref: ref, subscription: subscription, dropped: 0}}
    else
      {:error, error} -> {:stop, error}
    end
  end

  @impl true
  def handle_info({:snakepit_bridge, ref, {:log, record}}, %{ref: ref} = state) do
    {:message_queue_len, waiting} = Process.info(self(), :message_queue_len)

    if waiting > @waiting_max do
      {:noreply, %{state | dropped: state.dropped + 1}}
    else
      state = told(state)
      Logger.log(level(record), fn -> {line(record), metadata(record, state.name)} end)
      {:noreply, state}
    end
  end

  def handle_info({:snakepit_bridge, ref, {:log_dropped, count}}, %{ref: ref} = state) do
    {:noreply, told(%{state | dropped: state.dropped + count})}
  end

  def handle_info(_message, state), do: {:noreply, state}

  defp told(%{dropped: 0} = state), do: state

  defp told(state) do
    Logger.warning("#{state.dropped} log records of #{inspect(state.name)} were dropped")
    %{state | dropped: 0}
  end

  defp level(%{"level" => "debug"}), do: :debug
  defp level(%{"level" => "info"}), do: :info
  defp level(%{"level" => "error"}), do: :error
  defp level(_record), do: :warning

  defp line(%{"target" => target, "message" => message}), do: [target, ": ", message]

  defp metadata(record, name) do
    kept = for {key, field} <- @fields, value = record[field], do: {key, value}
    [{:platform, name} | kept]
  end
end
