defmodule SnakepitBridge.Platform.Closer do
  # Closes the platform when its supervisor stops. It is the last child, so it goes first: tools
  # still answer while calls end. It also closes what an owner that was killed left open.
  # Owns: that moment. Must not know: how a platform is opened.
  @moduledoc false

  use GenServer

  alias SnakepitBridge.{Config, Platform}

  # As a grace: what the configuration says.
  @as_configured 0
  @crash_grace_ms 1
  @grace_default_ms 5_000
  # Killing workers and waiting for their guards.
  @margin_ms 15_000

  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    %{
      id: __MODULE__,
      start: {GenServer, :start_link, [__MODULE__, options]},
      shutdown: shutdown(options)
    }
  end

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    name = Keyword.fetch!(options, :name)
    {:ok, platform} = Platform.fetch(name)
    {:ok, owner} = Platform.whereis(name, :platform)
    grace = Keyword.get(options, :grace) || @as_configured
    {:ok, %{platform: platform.ref, owner: owner, grace: grace}}
  end

  # Where the owner has crashed, a new platform is wanted more than the old one's calls.
  @impl true
  def terminate(_reason, state) do
    grace = if Process.alive?(state.owner), do: state.grace, else: @crash_grace_ms
    Platform.close(state.platform, grace)
  end

  @impl true
  def handle_info(_message, state), do: {:noreply, state}

  # Longer than the platform itself takes at most, so that this is not killed before its end.
  defp shutdown(options) do
    case Keyword.get(options, :grace) || configured(options) do
      :infinity -> :infinity
      grace -> grace + @margin_ms
    end
  end

  defp configured(options) do
    case Config.document(Keyword.get(options, :config, %{})) do
      {:ok, %{"close_grace_ms" => grace}, _json} when is_integer(grace) -> grace
      _ -> @grace_default_ms
    end
  end
end
