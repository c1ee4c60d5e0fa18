defmodule SnakepitBridge.Platform do
  # The process that owns a native platform, and how the others find it by its name.
  # Owns: opening, and the entry in the registry. Must not know: what is called on the platform.
  @moduledoc false

  use GenServer

  alias SnakepitBridge.{Config, Error, Native}

  @registry SnakepitBridge.Registry
  # Zero would stand for the configured time.
  @crash_grace_ms 1

  # `io`: whether variables wait for a disk or a server.
  @type t :: %{ref: Native.resource(), io: boolean()}

  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options), do: GenServer.start_link(__MODULE__, options)

  # The platform of that name, as long as its owner lives.
  @spec fetch(atom()) :: {:ok, t()} | Native.failure()
  def fetch(name) do
    case lookup(name, :platform) do
      {:ok, _owner, platform} -> {:ok, platform}
      :error -> missing(name)
    end
  end

  # The name of one of the processes of a platform.
  @spec via(atom(), atom()) :: {:via, module(), term()}
  def via(name, part), do: {:via, Registry, {@registry, {name, part}}}

  # One of the processes of a platform.
  @spec whereis(atom(), atom()) :: {:ok, pid()} | Native.failure()
  def whereis(name, part) do
    case lookup(name, part) do
      {:ok, pid, _value} -> {:ok, pid}
      :error -> missing(name)
    end
  end

  # Closes a platform and waits until every worker is gone.
  @spec close(Native.resource(), timeout()) :: :ok
  def close(platform, grace) do
    ref = make_ref()

    case Native.platform_shutdown(platform, grace, self(), ref) do
      {:ok, _operation} ->
        receive do
          {:snakepit_bridge, ^ref, {:done, _outcome}} -> :ok
        end

      {:error, _closed_already} ->
        :ok
    end
  end

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    name = Keyword.fetch!(options, :name)

    with {:ok, document, json} <- Config.document(Keyword.fetch!(options, :config)),
         {:ok, ref} <- Native.platform_open(json) do
      platform = %{ref: ref, io: Config.waits_for_store?(document)}
      {:ok, _} = Registry.register(@registry, {name, :platform}, platform)
      {:ok, platform}
    else
      {:error, error} -> {:stop, error}
    end
  end

  # The closer has closed it by now, unless something here crashed; then nothing is left to wait
  # for.
  @impl true
  def terminate(_reason, platform), do: close(platform.ref, @crash_grace_ms)

  @impl true
  def handle_info(_message, platform), do: {:noreply, platform}

  # A registry hears of an end later than who waited for it.
  defp lookup(name, part) do
    with [{pid, value}] <- Registry.lookup(@registry, {name, part}),
         true <- Process.alive?(pid) do
      {:ok, pid, value}
    else
      _ -> :error
    end
  rescue
    # The registry is not there: the application was not started.
    ArgumentError -> :error
  end

  defp missing(name) do
    message = "no platform named #{inspect(name)} runs"
    {:error, %Error{status: :unavailable, message: message, retryable: true}}
  end
end
