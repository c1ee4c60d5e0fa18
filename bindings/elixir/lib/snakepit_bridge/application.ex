defmodule SnakepitBridge.Application do
  # Starts what every platform needs: the registry that they are found in, and the platform that
  # the application's environment describes. Must not know: what a platform consists of.
  @moduledoc false

  use Application

  alias SnakepitBridge.Telemetry

  @impl true
  def start(_type, _arguments) do
    Telemetry.attach_configured()
    children = [{Registry, keys: :unique, name: SnakepitBridge.Registry} | configured()]
    Supervisor.start_link(children, strategy: :rest_for_one, name: __MODULE__)
  end

  defp configured do
    case Application.get_env(:snakepit_bridge, :platform) do
      absent when absent in [nil, false] ->
        []

      config ->
        options = Application.get_all_env(:snakepit_bridge) |> Keyword.take([:logs, :grace])
        [{SnakepitBridge.Supervisor, [name: SnakepitBridge, config: config] ++ options}]
    end
  end
end
