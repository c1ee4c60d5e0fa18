defmodule SnakepitBridge.Subscription do
  # A watch whose changes come as messages: a process that reads it on behalf of another.
  # Owns: that process, and the limit of what may lie in the other's mailbox. Must not know:
  # stores.
  @moduledoc """
  A subscription to changes of variables, made by `SnakepitBridge.API.State.subscribe/3`.

    * `:ref` - what the messages carry: `{:snakepit_bridge, ref, %SnakepitBridge.Change{}}`.

  It ends with `SnakepitBridge.API.State.unsubscribe/1`, with its subscriber, and with session and
  platform, then after a change of kind `:end`.
  """

  alias SnakepitBridge.{Change, Error, Reader}

  @enforce_keys [:ref, :reader]
  defstruct @enforce_keys

  @type t :: %__MODULE__{ref: reference(), reader: pid()}

  # Messages that may wait in the subscriber's mailbox, of whatever kind, before the reader rests.
  # What happens meanwhile waits in the library, at most `queue_max`.
  @mailbox_max 100
  @rest_ms 5

  # Starts the process that reads for the calling one, and waits until its watch has begun.
  @doc false
  @spec start(pid(), function()) :: {:ok, t()} | {:error, Error.t()}
  def start(tasks, open) do
    ref = make_ref()
    {:ok, reader} = Task.Supervisor.start_child(tasks, __MODULE__, :run, [self(), ref, open])
    monitor = Process.monitor(reader)

    receive do
      {:snakepit_bridge, ^ref, :begun} ->
        Process.demonitor(monitor, [:flush])
        {:ok, %__MODULE__{ref: ref, reader: reader}}

      {:snakepit_bridge, ^ref, {:refused, error}} ->
        Process.demonitor(monitor, [:flush])
        {:error, error}

      {:DOWN, ^monitor, _, _, _reason} ->
        {:error, %Error{status: :closed, message: "the platform closed"}}
    end
  end

  # Ends it; what it had sent is taken out of the mailbox.
  @doc false
  @spec stop(t()) :: :ok
  def stop(%__MODULE__{ref: ref, reader: reader}) do
    monitor = Process.monitor(reader)
    Process.exit(reader, :kill)

    receive do
      {:DOWN, ^monitor, _, _, _} -> flush(ref)
    end
  end

  @doc false
  @spec run(pid(), reference(), function()) :: :ok
  def run(subscriber, ref, open) do
    # A small process beside the reader, which may be waiting for a change, sees the end of the
    # subscriber.
    bind(subscriber)

    fn own_ref -> begin(subscriber, ref, open.(own_ref)) end
    |> Reader.changes()
    |> Enum.each(fn %Change{} = change ->
      make_room(subscriber)
      send(subscriber, {:snakepit_bridge, ref, change})
    end)
  end

  # The subscriber goes on when the watch has begun, so that it misses no change of its own; a
  # watch that was refused is its answer, and nothing comes after that.
  defp begin(subscriber, ref, {:ok, stream}) do
    send(subscriber, {:snakepit_bridge, ref, :begun})
    {:ok, stream}
  end

  defp begin(subscriber, ref, {:error, error}) do
    send(subscriber, {:snakepit_bridge, ref, {:refused, error}})
    exit(:normal)
  end

  defp flush(ref) do
    receive do
      {:snakepit_bridge, ^ref, _change} -> flush(ref)
    after
      0 -> :ok
    end
  end

  defp bind(subscriber) do
    reader = self()

    spawn_link(fn ->
      Process.flag(:trap_exit, true)
      monitor = Process.monitor(subscriber)

      receive do
        {:DOWN, ^monitor, _, _, _} -> Process.exit(reader, :kill)
        {:EXIT, ^reader, _} -> :ok
      end
    end)
  end

  defp make_room(subscriber) do
    case Process.info(subscriber, :message_queue_len) do
      {:message_queue_len, waiting} when waiting >= @mailbox_max ->
        Process.sleep(@rest_ms)
        make_room(subscriber)

      _room_or_gone ->
        :ok
    end
  end
end
