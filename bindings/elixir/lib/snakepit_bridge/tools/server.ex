defmodule SnakepitBridge.Tools.Server do
  # Hears of the calls of a platform's tools and starts a process for each.
  # Owns: which function belongs to which registration, and which process answers which call.
  # Must not know: what functions do, how they answer (Tools.Runner).
  @moduledoc false

  use GenServer

  alias SnakepitBridge.{Native, Platform, Session, Tool}
  alias SnakepitBridge.Tools.Runner

  # What a cancelled function that traps exits has for tidying up.
  @tidy_ms 5_000
  # Tools of sessions among which, from so many on, those of sessions that have ended are looked
  # for.
  @sweep_from 64

  # `tools`: registrations by reference. `calls`: the answering process by {reference, id} and
  # `keys`: the reverse, by monitor. `owners`: registrations by the monitor of their owner.
  defstruct [:name, :platform, :tasks, tools: %{}, calls: %{}, keys: %{}, owners: %{}, sweep: 64]

  @spec start_link(atom()) :: GenServer.on_start()
  def start_link(name),
    do: GenServer.start_link(__MODULE__, name, name: Platform.via(name, :tools))

  # Registers a function for one session, or with nil for all.
  @spec register(pid(), Session.t() | nil, map(), Runner.tool_function()) ::
          {:ok, Tool.t()} | Native.failure()
  def register(server, session, options, function) do
    GenServer.call(server, {:register, session, options, function}, :infinity)
  end

  # Forgets a registration that the library has taken away; its calls have been cancelled.
  @spec forget(pid(), reference()) :: :ok
  def forget(server, ref), do: GenServer.call(server, {:forget, ref}, :infinity)

  @impl true
  def init(name) do
    with {:ok, platform} <- Platform.fetch(name),
         {:ok, tasks} <- Platform.whereis(name, :tasks) do
      {:ok, %__MODULE__{name: name, platform: platform.ref, tasks: tasks, sweep: @sweep_from}}
    else
      {:error, error} -> {:stop, error}
    end
  end

  @impl true
  def handle_call({:register, session, options, function}, _from, state) do
    ref = make_ref()
    scope = session && session.ref

    case Native.tool_register(state.platform, scope, options, self(), ref) do
      {:ok, resource} ->
        monitor = Process.monitor(options.owner)
        tool = %Tool{name: options.name, platform: state.name, ref: ref, resource: resource}
        entry = %{tool: tool, run: function, session: scope, monitor: monitor}
        tools = Map.put(state.tools, ref, entry)
        owners = Map.put(state.owners, monitor, ref)
        {:reply, {:ok, tool}, swept(%{state | tools: tools, owners: owners})}

      {:error, _} = failure ->
        {:reply, failure, state}
    end
  end

  def handle_call({:forget, ref}, _from, state), do: {:reply, :ok, without(state, ref)}

  @impl true
  def handle_info({:snakepit_bridge, ref, {:tool_call, id, payload}}, state) do
    case state.tools do
      %{^ref => entry} -> {:noreply, begin(state, entry, {ref, id}, payload)}
      # It was taken away a moment ago, and its calls with it.
      _ -> {:noreply, state}
    end
  end

  def handle_info({:snakepit_bridge, ref, {:tool_cancel, id}}, state) do
    {:noreply, cancel(state, {ref, id})}
  end

  def handle_info({:DOWN, monitor, :process, _pid, reason}, state) do
    case state do
      %{keys: %{^monitor => key}} -> {:noreply, ended(state, monitor, key, reason)}
      %{owners: %{^monitor => ref}} -> {:noreply, without(state, ref)}
      _ -> {:noreply, state}
    end
  end

  def handle_info({:kill, pid}, state) do
    Process.exit(pid, :kill)
    {:noreply, state}
  end

  def handle_info({:gone, refs}, state),
    do: {:noreply, Enum.reduce(refs, state, &without(&2, &1))}

  def handle_info(_message, state), do: {:noreply, state}

  defp begin(state, %{tool: tool, run: function}, {_ref, id} = key, payload) do
    case Task.Supervisor.start_child(state.tasks, Runner, :run, [function, tool, id, payload]) do
      {:ok, pid} ->
        monitor = Process.monitor(pid)
        calls = Map.put(state.calls, key, {pid, tool})
        %{state | calls: calls, keys: Map.put(state.keys, monitor, key)}

      {:error, _no_more_processes} ->
        message = "the host has no process for tool #{tool.name}"
        Runner.refuse(tool, id, status: :resource_exhausted, message: message, retryable: true)
        state
    end
  end

  defp cancel(state, key) do
    with %{^key => {pid, _tool}} <- state.calls do
      Process.exit(pid, :shutdown)
      Process.send_after(self(), {:kill, pid}, @tidy_ms)
    end

    state
  end

  # A process that was killed leaves its call without an answer, taken or not.
  defp ended(state, monitor, {_ref, id} = key, reason) do
    {{_pid, tool}, calls} = Map.pop!(state.calls, key)

    if reason != :normal do
      Runner.refuse(tool, id, message: "the process of the tool was ended")
    end

    %{state | calls: calls, keys: Map.delete(state.keys, monitor)}
  end

  # The library cancels the calls of what it takes away; here the same is done for those whose
  # owner died.
  defp without(state, ref) do
    case Map.pop(state.tools, ref) do
      {nil, _tools} ->
        state

      {entry, tools} ->
        Process.demonitor(entry.monitor, [:flush])
        for {{^ref, _id} = key, _call} <- state.calls, do: cancel(state, key)
        %{state | tools: tools, owners: Map.delete(state.owners, entry.monitor)}
    end
  end

  # A session's tools end with it, of which nobody tells. So whenever their number has doubled,
  # those of ended sessions are looked for, beside this process.
  defp swept(state) when map_size(state.tools) < state.sweep, do: state

  defp swept(state) do
    server = self()
    scoped = for {ref, %{session: session}} when session != nil <- state.tools, do: {ref, session}

    Task.Supervisor.start_child(state.tasks, fn ->
      send(server, {:gone, for({ref, session} <- scoped, over?(session), do: ref)})
    end)

    %{state | sweep: 2 * map_size(state.tools)}
  end

  defp over?(session), do: match?({:error, %{status: :closed}}, Native.session_info(session))
end
