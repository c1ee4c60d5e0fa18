defmodule SnakepitBridge.Supervisor do
  # The processes of one platform, in the order in which they need each other.
  # Owns: that order and the options. Must not know: calls, sessions.
  @moduledoc """
  A platform as a part of your supervision tree.

      children = [
        {SnakepitBridge.Supervisor,
         name: MyApp.Bridge,
         config: %{pools: %{default: %{workers: 2, frameworks: %{dspy: %{}}}}}}
      ]

  The functions of the API find it by its name (`platform: MyApp.Bridge`); without one they mean
  `SnakepitBridge`, the platform that the application starts by itself when it is configured:

      config :snakepit_bridge,
        platform: [pools: [default: [workers: 2, frameworks: [dspy: []]]]]

  ## Options

    * `:name` (required) - an atom;
    * `:config` - the platform's configuration as a map, a keyword list or a JSON text
      (docs/configuration.md has every key; `SnakepitBridge.config_schema/0` too). Default `%{}`.
      Where it names no `guard_path` and no `python`, the environment variables `SPB_GUARD` and
      `SPB_PYTHON` do;
    * `:grace` - milliseconds (or `:infinity`) that calls have to end when the supervisor stops.
      Default: `close_grace_ms` of the configuration;
    * `:logs` - the least level (`:debug`, `:info`, `:warning`, `:error`) of the platform's log
      records, which are Python's too, that go to `Logger`; `false` for none. Default `:warning`.

  Starting does not wait for the Python workers: calls wait for them, and
  `SnakepitBridge.API.Frameworks.await_ready/4` does. A configuration that is wrong stops the
  start with the `SnakepitBridge.Error` that names the key.

  ## What it consists of

  A `Task.Supervisor` under which tools run, the owner of the native platform, the server that
  hands calls of tools out, the one that forwards logs, and the one that closes. When one of the
  first ones dies, all start anew with a new platform: sessions of the old one say `:closed`, and
  its workers are gone. When the supervisor is stopped, the platform is closed while tools still
  answer: calls under way may end within the grace, the rest ends with `:cancelled`, and every
  worker process is gone when the supervisor is.
  """

  use Supervisor

  alias SnakepitBridge.{Config, Platform, Tools}

  @type option ::
          {:name, atom()}
          | {:config, Config.t()}
          | {:grace, timeout()}
          | {:logs, :debug | :info | :warning | :error | false}

  @doc """
  Starts a platform, linked to the caller. The options are those of the module.

  Errors: what `Supervisor.start_link/3` gives; for a faulty configuration
  `{:error, {:shutdown, {:failed_to_start_child, _, %SnakepitBridge.Error{}}}}`.
  """
  @spec start_link([option()]) :: Supervisor.on_start()
  def start_link(options) do
    options = Keyword.validate!(options, [:name, :grace, config: %{}, logs: :warning])
    name = Keyword.fetch!(options, :name)
    Supervisor.start_link(__MODULE__, options, name: name)
  end

  @doc """
  How a platform stands in a list of children; several in one list have ids of their own.
  """
  @spec child_spec([option()]) :: Supervisor.child_spec()
  def child_spec(options) do
    %{
      id: {__MODULE__, Keyword.fetch!(options, :name)},
      start: {__MODULE__, :start_link, [options]},
      type: :supervisor
    }
  end

  @doc """
  Closes a platform and waits until every worker is gone: calls under way may end within `grace`
  milliseconds (0: as configured), the rest ends with `:cancelled`. The supervisor goes on, so
  that whatever is asked afterwards is told `:closed`; stopping it closes by itself.

  Error: `:unavailable` when no platform of that name runs.
  """
  @spec close(atom(), timeout()) :: :ok | {:error, SnakepitBridge.Error.t()}
  def close(name \\ SnakepitBridge, grace \\ 0) do
    with {:ok, platform} <- Platform.fetch(name), do: Platform.close(platform.ref, grace)
  end

  @doc false
  @impl true
  def init(options) do
    name = Keyword.fetch!(options, :name)

    children =
      [
        {Task.Supervisor, name: Platform.via(name, :tasks)},
        {Platform, options},
        {Tools.Server, name}
      ] ++ logs(name, Keyword.fetch!(options, :logs)) ++ [{Platform.Closer, options}]

    Supervisor.init(children, strategy: :one_for_all)
  end

  defp logs(_name, false), do: []
  defp logs(name, level), do: [{Platform.LogForwarder, {name, level}}]
end
